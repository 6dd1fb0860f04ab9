//! CPU time of processes, from /proc.

use crate::LoadError;
use std::path::PathBuf;
use std::time::Duration;

/// `USER_HZ`: 100 on every Linux that anybody runs, whatever the kernel's own tick.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time of a process so far; the resolution is 10 ms.
pub fn cpu_time(pid: u32) -> Result<Duration, LoadError> {
    let path = PathBuf::from(format!("/proc/{pid}/stat"));
    let stat = std::fs::read_to_string(&path).map_err(|fault| LoadError::File(path.clone(), fault))?;
    parse_stat(&stat).ok_or_else(|| LoadError::File(path, std::io::Error::other("not a line of /proc/PID/stat")))
}

/// Resident memory in KiB.
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

/// Binds this thread, and the threads that it makes from now on, to one CPU.
pub fn pin_self(cpu: usize) -> Result<(), LoadError> {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu)
        .and_then(|()| nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set))
        .map_err(|errno| LoadError::Usage(format!("CPU {cpu}: {errno}")))
}

/// The name in parentheses may itself hold spaces and parentheses: count the fields after the last one.
fn parse_stat(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_be_anything() {
        let stat = "7 (a b) c) R 1 7 7 0 -1 4194304 99 0 0 0 120 30 0 0 20 0 1 0 100 1000 50";
        assert_eq!(parse_stat(stat), Some(Duration::from_millis(1500)));
        assert_eq!(parse_stat("7 a R"), None);
    }

    #[test]
    fn our_own_time_and_memory_can_be_read() {
        cpu_time(std::process::id()).unwrap();
        assert!(resident_kib(std::process::id()).unwrap() > 0);
        assert!(cpu_time(0).is_err());
    }
}
