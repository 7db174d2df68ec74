use super::*;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A kubelet's root in a folder of its own, gone with the test.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "isthmus-kubelet-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        // Of a process that was killed and had the same number.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The volume `aws` of the pod `uid`.
    fn volume(&self, uid: &str) -> PathBuf {
        let folder = format!("pods/{uid}/volumes/kubernetes.io~projected/aws");
        let folder = self.0.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// As the kubelet writes it: a folder of this version, and links to it.
    fn write(&self, uid: &str, version: &str, token: &str) {
        let volume = self.volume(uid);
        std::fs::create_dir_all(volume.join(version)).unwrap();
        std::fs::write(volume.join(version).join("token"), token).unwrap();
        let _ = std::fs::remove_file(volume.join("..data"));
        symlink(version, volume.join("..data")).unwrap();
        if !volume.join("token").exists() {
            symlink("..data/token", volume.join("token")).unwrap();
        }
    }

    fn read(&self, uid: &str, path: &str) -> Result<String, TokenFileError> {
        let volume = TokenVolume::new("aws", path).unwrap();
        let token = KubeletRoot::new(self.0.clone()).token(&volume, uid)?;
        Ok(token.expose().to_owned())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_token_is_read_as_the_kubelet_writes_it_and_again_when_it_changes() {
    let root = Root::new();
    root.write("u1", "..2026_11_21_12_00_00.1", "a.b.c\n");
    root.write("u2", "..2026_11_21_12_00_00.1", "other");
    assert_eq!(root.read("u1", "token").unwrap(), "a.b.c");
    root.write("u1", "..2026_11_21_13_00_00.2", "d.e.f");
    assert_eq!(root.read("u1", "token").unwrap(), "d.e.f");
    assert_eq!(root.read("u2", "token").unwrap(), "other");
    assert_eq!(
        root.read("u3", "token"),
        Err(TokenFileError::Io(Errno::NOENT))
    );
    assert_eq!(
        root.read("u1", "nothing"),
        Err(TokenFileError::Io(Errno::NOENT))
    );
}

#[test]
fn no_link_leads_out_of_the_pods_volume() {
    let root = Root::new();
    root.write("u2", "..1", "of-another-pod");
    let volume = root.volume("u1");
    std::fs::write(root.0.join("secret"), "of-the-node").unwrap();
    let other = "../../../../u2/volumes/kubernetes.io~projected/aws/token";
    symlink(other, volume.join("up")).unwrap();
    symlink(root.0.join("secret"), volume.join("absolute")).unwrap();
    symlink("loop", volume.join("loop")).unwrap();
    symlink("../aws/token", volume.join("round")).unwrap();
    for path in ["up", "absolute", "loop", "round"] {
        assert_eq!(
            root.read("u1", path),
            Err(TokenFileError::LeadsOut),
            "{path}"
        );
    }
    // The volume itself, or a folder above it, is a link to another pod's.
    let of_u3 = root.0.join("pods/u3/volumes/kubernetes.io~projected");
    std::fs::create_dir_all(&of_u3).unwrap();
    symlink(root.volume("u2"), of_u3.join("aws")).unwrap();
    symlink(root.0.join("pods/u2"), root.0.join("pods/u4")).unwrap();
    for uid in ["u3", "u4"] {
        let refused = root.read(uid, "token");
        assert!(
            matches!(
                refused,
                Err(TokenFileError::Io(Errno::NOTDIR | Errno::LOOP))
            ),
            "{uid}: {refused:?}"
        );
    }
}

#[test]
fn what_is_no_token() {
    let root = Root::new();
    let volume = root.volume("u1");
    let write = |name: &str, bytes: &[u8]| std::fs::write(volume.join(name), bytes).unwrap();
    write("empty", b" \n");
    write("two-words", b"a b");
    write("binary", b"\xff\xfe");
    write("large", &[b'a'; 20_001]);
    write("largest", &[b'a'; 20_000]);
    std::fs::create_dir(volume.join("folder")).unwrap();
    for (path, error) in [
        ("empty", TokenFileError::NoToken),
        ("two-words", TokenFileError::NoToken),
        ("binary", TokenFileError::NoToken),
        ("large", TokenFileError::TooLarge),
        ("folder", TokenFileError::NotAFile),
    ] {
        assert_eq!(root.read("u1", path), Err(error), "{path}");
    }
    assert_eq!(root.read("u1", "largest").unwrap().len(), 20_000);
}
