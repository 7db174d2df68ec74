//! Pods' own tokens in the volumes that the kubelet fills.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use metadata_proxy_core::{Secret, TokenVolume};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

/// [STS takes](https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html)
/// at most 20,000 characters.
const LARGEST: u64 = 20_000;
/// The kubelet's own way from the path to the file goes over two links.
const LINKS: usize = 8;

/// `--kubelet-root`.
#[derive(Clone, Debug)]
pub(crate) struct KubeletRoot(PathBuf);

/// Why a token cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenFileError {
    #[error("{0}")]
    Io(#[from] Errno),
    #[error("a link in it leads out of the pod's volume")]
    LeadsOut,
    #[error("it is not a file")]
    NotAFile,
    #[error("it has more than {LARGEST} bytes")]
    TooLarge,
    #[error("it holds no token")]
    NoToken,
}

impl KubeletRoot {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// Where the token of a pod is, for people.
    pub(crate) fn shown(&self, volume: &TokenVolume, pod_uid: &str) -> String {
        self.0.join(volume.shown(pod_uid)).display().to_string()
    }

    /// Whether this machine's kubelet keeps pods here at all.
    pub(crate) fn has_pods(&self) -> bool {
        self.0.join("pods").is_dir()
    }

    /// Reads the token anew: the kubelet replaces it long before it expires.
    ///
    /// Each folder down to the pod's volume is opened without following links.
    /// In the volume links are followed, since the kubelet
    /// [switches versions by one](https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go),
    /// but only downwards from where they are.
    pub(crate) fn token(
        &self,
        volume: &TokenVolume,
        pod_uid: &str,
    ) -> Result<Secret, TokenFileError> {
        let folders = volume.folders(pod_uid).ok_or(TokenFileError::LeadsOut)?;
        let mut folder = root(&self.0)?;
        for name in &folders {
            folder = openat(&folder, name.as_str(), FOLDER, Mode::empty())?;
        }
        read(File::from(open_below(folder, volume.path())?))
    }
}

const FOLDER: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Without waiting: a pipe has no writer.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// The root is the operator's own word: it may be a link.
fn root(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Opens a file below `folder`, name by name. No name and no link leads up, so
/// nothing that changes meanwhile can lead out.
fn open_below(mut folder: OwnedFd, path: &str) -> Result<OwnedFd, TokenFileError> {
    let mut names: VecDeque<String> = path.split('/').map(str::to_owned).collect();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        if matches!(name.as_str(), "" | "." | "..") {
            return Err(TokenFileError::LeadsOut);
        }
        match readlinkat(&folder, name.as_str(), Vec::new()) {
            Ok(target) => {
                links += 1;
                let target = target.to_str().map_err(|_| TokenFileError::LeadsOut)?;
                if links > LINKS || target.starts_with('/') {
                    return Err(TokenFileError::LeadsOut);
                }
                for name in target.split('/').rev() {
                    names.push_front(name.to_owned());
                }
            }
            Err(Errno::INVAL) if names.is_empty() => {
                return Ok(openat(&folder, name.as_str(), FILE, Mode::empty())?);
            }
            Err(Errno::INVAL) => {
                folder = openat(&folder, name.as_str(), FOLDER, Mode::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(TokenFileError::NotAFile)
}

fn read(file: File) -> Result<Secret, TokenFileError> {
    let io = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    if !file.metadata().map_err(io)?.is_file() {
        return Err(TokenFileError::NotAFile);
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST {
        return Err(TokenFileError::TooLarge);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| TokenFileError::NoToken)?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TokenFileError::NoToken);
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests;
