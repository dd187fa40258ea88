//! Threads that wait for work and do it together with whoever brings it.
//!
//! A step calls hundreds of kernels of some hundred microseconds. Going to sleep and being woken costs each of them tens
//! of microseconds, so the caller works too, and threads look for the next job for a while before they sleep.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, TryLockError};
use std::thread::{Builder, yield_now};

/// Looks at the job number before a thread sleeps: some 400 microseconds. Between two kernels JavaScript takes about 100.
const LOOKS: usize = 12_000;

/// Runs jobs on the calling thread and on threads of its own, which end with it.
pub struct Pool {
    shared: Arc<Shared>,
    helpers: usize,
    /// Held during a job: a second one at the same time is run by its caller alone.
    busy: Mutex<()>,
}

struct Shared {
    /// Goes up by one with every job.
    number: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    job: Option<JobPointer>,
    ends: bool,
}

/// A job on the stack of [`Pool::run`], which waits until nobody uses it any more.
#[derive(Clone, Copy)]
struct JobPointer(*const Job<'static>);

// SAFETY: a job may be used by all threads, and lives as long as `Pool::run` says.
unsafe impl Send for JobPointer {}

struct Job<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// Threads of the pool that work on it; goes up only while the state is locked.
    workers: AtomicUsize,
    failed: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    /// Does parts until none is left. The first panic ends the job.
    fn work(&self) {
        while !self.failed.load(Ordering::Relaxed) {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= self.count {
                break;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (self.body)(part))) {
                self.failed.store(true, Ordering::Relaxed);
                lock(&self.panic).get_or_insert(panic);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}

impl Pool {
    /// A pool that computes with `threads` threads, the calling one included.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let pool = Self {
            shared: Arc::new(Shared {
                number: AtomicUsize::new(0),
                state: Mutex::default(),
                wake: Condvar::new(),
            }),
            helpers: threads.saturating_sub(1),
            busy: Mutex::new(()),
        };
        for i in 1..=pool.helpers {
            let shared = Arc::clone(&pool.shared);
            // Where one cannot start, dropping the pool ends the others.
            Builder::new()
                .name(format!("basic-mllm-{i}"))
                .spawn(move || shared.serve())?;
        }
        Ok(pool)
    }

    /// Threads that compute, the calling one included.
    pub fn threads(&self) -> usize {
        self.helpers + 1
    }

    /// Calls `body(0) .. body(count - 1)`, in any order, and returns when all have ended. Passes a panic on.
    pub fn run(&self, count: usize, body: &(dyn Fn(usize) + Sync)) {
        let _busy = match self.busy.try_lock() {
            Ok(guard) => guard,
            // A job that panicked: this one is new.
            Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
            Err(TryLockError::WouldBlock) => return (0..count).for_each(body),
        };
        let job = Job {
            body,
            count,
            next: AtomicUsize::new(0),
            workers: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            panic: Mutex::new(None),
        };
        self.shared.publish(&job);
        job.work();
        self.shared.withdraw(&job);
        if let Some(panic) = lock(&job.panic).take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.ends = true;
        // While the state is locked: a thread that is about to sleep would miss it else.
        self.shared.number.fetch_add(1, Ordering::Release);
        drop(state);
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn publish(&self, job: &Job) {
        let mut state = lock(&self.state);
        state.job = Some(JobPointer(std::ptr::from_ref(job).cast()));
        self.number.fetch_add(1, Ordering::Release);
        drop(state);
        self.wake.notify_all();
    }

    /// Returns when no thread uses the job any more.
    fn withdraw(&self, job: &Job) {
        lock(&self.state).job = None;
        let mut looks = 0;
        while job.workers.load(Ordering::Acquire) > 0 {
            looks += 1;
            if looks < LOOKS {
                std::hint::spin_loop();
            } else {
                yield_now();
            }
        }
    }

    /// What a thread of the pool does until the pool ends.
    fn serve(&self) {
        let mut seen = 0;
        loop {
            seen = self.next_number(seen);
            let state = lock(&self.state);
            if state.ends {
                return;
            }
            let Some(JobPointer(job)) = state.job else {
                continue;
            };
            // SAFETY: `withdraw` has not taken the job out, and waits for this worker once it has.
            let job = unsafe { &*job };
            job.workers.fetch_add(1, Ordering::Relaxed);
            drop(state);
            job.work();
            job.workers.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a job number other than `seen`.
    fn next_number(&self, seen: usize) -> usize {
        let now = || self.number.load(Ordering::Acquire);
        for _ in 0..LOOKS {
            if now() != seen {
                return now();
            }
            std::hint::spin_loop();
        }
        let mut state = lock(&self.state);
        while now() == seen {
            state = self.wake.wait(state).unwrap_or_else(|poison| poison.into_inner());
        }
        now()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn every_part_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads).expect("threads");
            assert_eq!(pool.threads(), threads);
            for count in [0, 1, 3, 1000] {
                let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..20 {
                    pool.run(count, &|i| {
                        done[i].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 20));
            }
        }
    }

    #[test]
    fn a_job_inside_of_a_job_and_beside_another_is_run_by_its_caller() {
        let pool = Pool::new(3).expect("threads");
        let sum = AtomicUsize::new(0);
        let job = || {
            pool.run(4, &|_| {
                pool.run(5, &|i| {
                    sum.fetch_add(i, Ordering::Relaxed);
                })
            });
        };
        std::thread::scope(|scope| {
            scope.spawn(job);
            scope.spawn(job);
        });
        assert_eq!(sum.into_inner(), 2 * 4 * 10);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(2).expect("threads");
        let failing = || pool.run(100, &|i| assert!(i != 50, "part 50"));
        let panic = catch_unwind(AssertUnwindSafe(failing)).expect_err("a panic");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"part 50"));
        let done = AtomicUsize::new(0);
        pool.run(10, &|_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 10);
    }

    #[test]
    fn all_threads_work_after_a_panic() {
        let pool = Pool::new(2).expect("threads");
        let failing = || pool.run(2, &|_| panic!("a part"));
        catch_unwind(AssertUnwindSafe(failing)).expect_err("a panic");
        let begun = AtomicUsize::new(0);
        let both = AtomicUsize::new(0);
        // Each part waits for the other one, so one thread alone cannot do them.
        pool.run(2, &|_| {
            begun.fetch_add(1, Ordering::SeqCst);
            let start = Instant::now();
            while begun.load(Ordering::SeqCst) < 2 && start.elapsed() < Duration::from_secs(20) {
                yield_now();
            }
            if start.elapsed() < Duration::from_secs(20) {
                both.fetch_add(1, Ordering::SeqCst);
            }
        });
        assert_eq!(both.into_inner(), 2);
    }
}
