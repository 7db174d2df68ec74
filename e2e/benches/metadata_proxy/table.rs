//! What was measured, beside what is wanted.

/// Rows in the order of their measurement.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    unit: &'static str,
    measured: f64,
    target: Option<f64>,
}

impl Table {
    /// A number that should not be larger than `target`.
    pub(crate) fn at_most(&mut self, what: &str, unit: &'static str, measured: f64, target: f64) {
        self.push(what, unit, measured, Some(target));
    }

    /// A number without a target.
    pub(crate) fn note(&mut self, what: &str, measured: f64, unit: &'static str) {
        self.push(what, unit, measured, None);
    }

    fn push(&mut self, what: &str, unit: &'static str, measured: f64, target: Option<f64>) {
        eprintln!("{what}: {measured:.2} {unit}");
        self.0.push(Row {
            what: what.to_owned(),
            unit,
            measured,
            target,
        });
    }

    /// `ratio` is that of the measured number to its target: under 1 is better.
    pub(crate) fn print(&self) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        println!("\nload {load} on {cpus} CPUs\n");
        println!("{:<44}{:>14}{:>12}{:>8}", "", "measured", "target", "ratio");
        for row in &self.0 {
            let measured = format!("{:.2} {}", row.measured, row.unit);
            let (target, ratio, verdict) = match row.target {
                Some(target) => (
                    format!("{target:.1} {}", row.unit),
                    format!("{:.2}", row.measured / target),
                    if row.measured <= target {
                        ""
                    } else {
                        "  missed"
                    },
                ),
                None => (String::new(), String::new(), ""),
            };
            println!(
                "{:<44}{measured:>14}{target:>12}{ratio:>8}{verdict}",
                row.what
            );
        }
    }
}
