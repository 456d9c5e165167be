use std::{future::Future, pin::Pin, sync::Mutex, thread, time::Duration};

use time::{OffsetDateTime, macros::datetime};
use tonic::Code;
use tonic_types::StatusExt;

use super::{rate::SWEEP_EVERY, *};
use crate::{broker::Error, rpc::status};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

/// A clock that is moved by hand, in both directions.
struct Manual(Mutex<OffsetDateTime>);

impl Manual {
    fn set(&self, now: OffsetDateTime) {
        *self.0.lock().unwrap() = now;
    }

    fn advance(&self, milliseconds: i64) {
        *self.0.lock().unwrap() += time::Duration::milliseconds(milliseconds);
    }
}

impl Clock for Manual {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

fn quotas(limits: Limits) -> (Quotas, Arc<Manual>) {
    let clock = Arc::new(Manual(Mutex::new(NOW)));
    (Quotas::new(&limits, clock.clone()), clock)
}

fn caller(name: impl std::fmt::Display) -> Caller {
    format!("spiffe://example.org/{name}").parse().unwrap()
}

/// Why a call is refused.
fn refused(quotas: &Quotas, caller: &Caller) -> (ShedKind, u64) {
    let shed = quotas.take(caller).unwrap_err();
    assert_eq!(shed.subject, *caller);
    (shed.kind, shed.limit)
}

/// How many calls one after the other are let in until one is not.
fn burst(quotas: &Quotas, caller: &Caller) -> usize {
    (0..10_000).take_while(|_| quotas.take(caller).is_ok()).count()
}

fn slow() -> Limits {
    Limits { calls_per_second_per_caller: 10, burst_per_caller: 5, ..Limits::default() }
}

#[test]
fn one_caller_cannot_take_anothers_share() {
    let limits = Limits { calls_in_flight: 5, calls_in_flight_per_caller: 3, ..Limits::default() };
    let (quotas, _) = quotas(limits);
    let (greedy, modest) = (caller("greedy"), caller("modest"));
    let greedy_calls: Vec<Ticket> = (0..3).map(|_| quotas.take(&greedy).unwrap()).collect();
    assert_eq!(refused(&quotas, &greedy), (ShedKind::CallerInFlight, 3));
    let first = quotas.take(&modest).unwrap();
    let _second = quotas.take(&modest).unwrap();
    assert_eq!(refused(&quotas, &modest), (ShedKind::Overloaded, 5));
    drop(first);
    let _third = quotas.take(&modest).unwrap();
    drop(greedy_calls);
    assert!(quotas.take(&greedy).is_ok());
}

#[test]
fn bytes_of_requests_are_counted_until_their_calls_end() {
    let (quotas, _) = quotas(Limits {
        request_bytes_in_flight: 100,
        request_bytes_in_flight_per_caller: 70,
        ..Limits::default()
    });
    let (greedy, modest) = (caller("greedy"), caller("modest"));
    let (first, second) = (quotas.take(&greedy).unwrap(), quotas.take(&greedy).unwrap());
    first.add(50).unwrap();
    second.add(20).unwrap();
    let met = |ticket: &Ticket, bytes| ticket.add(bytes).map_err(|shed| (shed.kind, shed.limit));
    assert_eq!(met(&second, 1), Err((ShedKind::CallerBytes, 70)));
    let other = quotas.take(&modest).unwrap();
    assert_eq!(met(&other, 31), Err((ShedKind::BytesFull, 100)));
    // What was refused left nothing behind.
    assert_eq!(met(&other, 30), Ok(()));
    assert_eq!(met(&other, usize::MAX), Err((ShedKind::CallerBytes, 70)));
    drop(first);
    assert_eq!(met(&other, 40), Ok(()));
    assert_eq!(met(&second, 10), Ok(()));
    drop((second, other));
    assert_eq!(quotas.0.bytes.load(Ordering::Relaxed), 0);
    assert!(quotas.0.by_caller.is_empty());
}

#[test]
fn a_caller_has_a_burst_and_then_a_rate_of_its_own() {
    let (quotas, clock) = quotas(slow());
    let (fast, other) = (caller("fast"), caller("other"));
    assert_eq!(burst(&quotas, &fast), 5);
    let shed = quotas.take(&fast).unwrap_err();
    assert_eq!((shed.kind, shed.limit), (ShedKind::CallerRate, 10));
    assert_eq!(shed.retry_after, Duration::from_millis(100));
    assert_eq!(burst(&quotas, &other), 5);
    clock.advance(99);
    assert_eq!(burst(&quotas, &fast), 0);
    clock.advance(1);
    assert_eq!(burst(&quotas, &fast), 1);
    clock.advance(1_000_000);
    assert_eq!(burst(&quotas, &fast), 5);
}

#[test]
fn who_calls_too_often_takes_no_place() {
    let (quotas, _) = quotas(Limits { calls_in_flight: 1, ..slow() });
    let fast = caller("fast");
    burst(&quotas, &fast);
    assert_eq!(refused(&quotas, &fast).0, ShedKind::CallerRate);
    let _only = quotas.take(&caller("other")).unwrap();
    assert_eq!(refused(&quotas, &fast).0, ShedKind::CallerRate);
}

#[test]
fn a_clock_that_steps_neither_blocks_nor_panics() {
    let (quotas, clock) = quotas(slow());
    let fast = caller("fast");
    let ends = [datetime!(1970-01-01 00:00 UTC), datetime!(9999-12-31 23:59:59 UTC)];
    for end in [NOW - time::Duration::DAY, ends[0], ends[1], ends[0], ends[1]] {
        burst(&quotas, &fast);
        let before = clock.now();
        clock.set(end);
        let forward = end > before;
        assert_eq!(burst(&quotas, &fast), if forward { 5 } else { 0 }, "{end}");
        if end != ends[1] {
            clock.advance(100);
            assert_eq!(burst(&quotas, &fast), 1, "{end}");
        }
    }
}

#[test]
fn nothing_is_kept_of_callers_that_are_gone() {
    let limits = Limits { burst_per_caller: 10_000, ..Limits::default() };
    let (quotas, clock) = quotas(limits);
    let Counts { by_caller, rate, .. } = &*quotas.0;
    let busy = quotas.take(&caller("busy")).unwrap();
    for number in 0..20 * SWEEP_EVERY {
        drop(quotas.take(&caller(number)).unwrap());
        clock.advance(1);
    }
    assert_eq!(by_caller.len(), 1);
    assert!(rate.limiter.len() <= SWEEP_EVERY + 1, "{}", rate.limiter.len());
    drop(busy);
    assert!(by_caller.is_empty());
}

#[test]
fn a_limit_of_nothing_leaves_nothing_behind() {
    let (quotas, _) = quotas(Limits { calls_in_flight_per_caller: 0, ..Limits::default() });
    assert_eq!(refused(&quotas, &caller("a")), (ShedKind::CallerInFlight, 0));
    assert!(quotas.0.by_caller.is_empty());
    let rates = Limits { calls_per_second_per_caller: 0, burst_per_caller: 0, ..Limits::default() };
    assert_eq!(burst(&self::quotas(rates).0, &caller("a")), 1);
}

#[test]
fn many_threads_never_hold_more_than_the_limits() {
    const THREADS: usize = 8;
    let limits = Limits {
        calls_in_flight: 5,
        calls_in_flight_per_caller: 3,
        calls_per_second_per_caller: u32::MAX,
        burst_per_caller: u32::MAX,
        ..Limits::default()
    };
    let (quotas, _) = quotas(limits);
    let callers = [caller("a"), caller("b"), caller("c")];
    let held = Mutex::new([0_usize; 3]);
    let change = |who: usize, by: isize| {
        let mut held = held.lock().unwrap();
        held[who] = held[who].strict_add_signed(by);
        assert!(held.iter().all(|of_caller| *of_caller <= 3), "{held:?}");
        assert!(held.iter().sum::<usize>() <= 5, "{held:?}");
    };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (quotas, callers, change) = (&quotas, &callers, &change);
            scope.spawn(move || {
                for round in 0..2_000 {
                    let who = (thread + round) % 3;
                    let Ok(ticket) = quotas.take(&callers[who]) else { continue };
                    change(who, 1);
                    drop(ticket.add(round));
                    change(who, -1);
                    drop(ticket);
                }
            });
        }
    });
    assert!(quotas.0.by_caller.is_empty());
    assert_eq!(quotas.0.bytes.load(Ordering::Relaxed), 0);
    let all: Vec<Ticket> = (0..5).map(|at| quotas.take(&callers[at % 3]).unwrap()).collect();
    assert_eq!(all.len(), 5);
}

/// Code, reason and details of the status of a call that met a limit.
fn told(kind: ShedKind) -> tonic::Status {
    let retry_after = Duration::from_millis(7);
    let error = Error::from(Shed { kind, retry_after, limit: 3, subject: caller("web") });
    let status = status::of(error, "");
    let delay = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(delay, Some(retry_after));
    assert_eq!(status.get_error_details().error_info().unwrap().metadata["limit"], kind.setting());
    status
}

#[test]
fn the_callers_own_limit_is_a_quota_failure() {
    for kind in [ShedKind::CallerInFlight, ShedKind::CallerBytes, ShedKind::CallerRate] {
        let status = told(kind);
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "QUOTA_EXCEEDED");
        let violation = &details.quota_failure().unwrap().violations[0];
        assert_eq!(violation.subject, "spiffe://example.org/web");
        assert_eq!(violation.description, status.message());
    }
}

#[test]
fn the_brokers_own_limit_is_no_fault_of_the_callers() {
    for kind in [ShedKind::Overloaded, ShedKind::BytesFull] {
        let status = told(kind);
        assert_eq!(status.code(), Code::Unavailable);
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "OVERLOADED");
        assert!(details.quota_failure().is_none());
    }
}

#[test]
fn refusals_beyond_a_rate_are_counted_and_told_of_later() {
    let clock = Arc::new(Manual(Mutex::new(NOW)));
    let refusals = Refusals::new(clock.clone());
    assert_eq!((0..150).filter(|_| refusals.tell() == Some(0)).count(), 100);
    clock.advance(1000);
    assert_eq!(refusals.tell(), Some(50));
    assert_eq!(refusals.tell(), Some(0));
}
