//! What a process has used, by its files under `/proc`: CPU time and memory.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use crate::failure::{Failure, Result, Trying};

/// A process that is measured.
#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
    /// What each of its threads had used when it was last seen: threads that have ended count.
    threads: BTreeMap<String, Duration>,
}

impl Process {
    /// The process with this id; `None` is the own one.
    pub(crate) fn new(id: Option<u32>) -> Self {
        let id = id.unwrap_or_else(std::process::id);
        Self { folder: PathBuf::from(format!("/proc/{id}")), threads: BTreeMap::new() }
    }

    /// The CPU time of all its threads so far, in user mode and in the kernel.
    ///
    /// `schedstat` counts nanoseconds, but those of a thread that runs right now only up to the last tick: read it when the
    /// process has nothing to do.
    pub(crate) fn cpu(&mut self) -> Result<Duration> {
        for thread in fs::read_dir(self.folder.join("task")).trying("/proc/PID/task")? {
            let thread = thread.trying("/proc/PID/task")?;
            // A thread may end while the list is read.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let used = text.split(' ').next().and_then(|number| number.parse().ok());
            let used = used.ok_or_else(|| Failure::Usage(format!("schedstat says {text:?}")))?;
            let name = thread.file_name().to_string_lossy().into_owned();
            self.threads.insert(name, Duration::from_nanos(used));
        }
        Ok(self.threads.values().sum())
    }

    /// Its resident memory in bytes, shared pages by their share. What the kernel holds for its sockets is not in it.
    pub(crate) fn memory(&self) -> Result<u64> {
        let text = fs::read_to_string(self.folder.join("smaps_rollup"));
        let text = text.trying("/proc/PID/smaps_rollup")?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        Ok(kib.ok_or_else(|| Failure::Usage("smaps_rollup has no Pss".to_owned()))? * 1024)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{hint::black_box, time::Instant};

    use super::*;

    #[test]
    fn work_of_ended_threads_is_seen() {
        let mut own = Process::new(None);
        let before = own.cpu().unwrap();
        let (worked, done) = std::sync::mpsc::channel();
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(30) {
                black_box(0);
            }
            worked.send(()).unwrap();
            left.recv().unwrap();
        });
        done.recv().unwrap();
        let during = own.cpu().unwrap();
        assert!(during > before, "{before:?}, {during:?}");
        leave.send(()).unwrap();
        thread.join().unwrap();
        assert!(own.cpu().unwrap() >= during, "what an ended thread used is not forgotten");
    }

    #[test]
    fn held_memory_is_seen() {
        let own = Process::new(None);
        let before = own.memory().unwrap();
        let held = black_box(vec![1_u8; 32 << 20]);
        let after = own.memory().unwrap();
        assert!(after > before + (24 << 20), "{before}, {after}");
        drop(held);
    }
}
