//! All cells against a plain list, and many threads at once.

use super::super::claim::Cap;
use super::*;
use crate::rate::quota::{Cycle, Unit};
use jiff::Timestamp;
use proptest::collection::vec;

const SECOND: u64 = 1_000_000_000;

fn len(table: &Table) -> usize {
    (0..SHARDS).map(|index| table.shard(index).len()).sum()
}

fn at(nanos: u64) -> Present {
    Present {
        nanos,
        time: Timestamp::from_second(i64::try_from(nanos / SECOND).unwrap()).unwrap(),
    }
}

fn claim(scope: Scope, subject: &str, kind: Kind, cap: Cap) -> Claim {
    let subject = subject.into();
    Claim {
        name: Name {
            scope,
            subject,
            kind,
        },
        cap,
        again: false,
    }
}

fn rate(scope: Scope, subject: &str, text: &str) -> Claim {
    claim(
        scope,
        subject,
        Kind::Tokens(text.parse().unwrap()),
        Cap::Rate,
    )
}

fn budget(subject: &str, unit: Unit, amount: u64) -> Claim {
    let window = Window::at(Cycle::Day, Timestamp::UNIX_EPOCH);
    claim(
        Scope::Key,
        subject,
        Kind::Spend(window),
        Cap::Amount(unit, amount),
    )
}

const fn tokens(tokens: u64) -> Ask {
    Ask { tokens, money: 0 }
}

const fn used(input: u64, money: u64) -> Spend {
    Spend {
        requests: 1,
        input,
        output: 0,
        money,
    }
}

/// All cells of one exchange as a plain list: the reference.
#[derive(Default)]
struct Model {
    /// By subject: what was taken from the rate, in units times nanoseconds, and when that was last looked at.
    rates: Vec<(u128, u64)>,
    running: Vec<u32>,
    spent: Vec<(u64, u64)>,
}

const COUNT: u128 = 700;
const MINUTE: u128 = 60 * 1_000_000_000;
const MOST: u32 = 3;
const BUDGET: u64 = 5_000;

impl Model {
    fn take(&mut self, subjects: &[usize], amount: u64, now: u64) -> bool {
        for (level, seen) in &mut self.rates {
            *level = level.saturating_sub(u128::from(now - *seen) * COUNT);
            *seen = now;
        }
        let cost = u128::from(amount) * MINUTE;
        let agrees = |subject: &usize| {
            let (spent, kept) = self.spent[*subject];
            self.rates[*subject].0 + cost <= COUNT * MINUTE
                && self.running[*subject] < MOST
                && spent + kept + amount <= BUDGET
                && spent + kept < BUDGET
        };
        let all = subjects.iter().all(agrees);
        for subject in subjects.iter().filter(|_| all) {
            self.rates[*subject].0 += cost;
            self.running[*subject] += 1;
            self.spent[*subject].1 += amount;
        }
        all
    }

    fn settle(&mut self, subjects: &[usize], kept: u64, used: Option<u64>, now: u64) {
        for (level, seen) in &mut self.rates {
            *level = level.saturating_sub(u128::from(now - *seen) * COUNT);
            *seen = now;
        }
        for subject in subjects {
            let level = &mut self.rates[*subject].0;
            *level = (*level + u128::from(used.unwrap_or(0)) * MINUTE)
                .saturating_sub(u128::from(kept) * MINUTE);
            self.running[*subject] -= 1;
            self.spent[*subject].0 += used.unwrap_or(0);
            self.spent[*subject].1 -= kept;
        }
    }
}

proptest::proptest! {
    /// Exchanges of several subjects at a time begin, end and are given back in any order: the table decides as the
    /// model does, and refuses without a trace.
    #[test]
    fn p33_agrees_with_the_model(
        steps in vec((0_u64..40_000_000_000, vec(0_usize..4, 1..4), 1_u64..400, 0_u64..500, 0_u8..5), 1..80),
    ) {
        let table = Table::new();
        let mut model = Model { rates: vec![(0, 0); 4], running: vec![0; 4], spent: vec![(0, 0); 4] };
        let mut open: Vec<(Vec<usize>, Vec<Claim>, u64)> = Vec::new();
        let mut now = 0;
        for (step, mut subjects, amount, real, what) in steps {
            now += step;
            if what < 2 && !open.is_empty() {
                let (subjects, claims, kept) = open.swap_remove(usize::try_from(real).unwrap() % open.len());
                if what == 0 {
                    table.settle(&claims, tokens(kept), used(real, 0), at(now));
                } else {
                    table.give_back(&claims, tokens(kept));
                }
                model.settle(&subjects, kept, (what == 0).then_some(real), now);
                continue;
            }
            subjects.sort_unstable();
            subjects.dedup();
            let mut claims = Vec::new();
            for subject in &subjects {
                let name = subject.to_string();
                claims.push(rate(Scope::Key, &name, "700/minute"));
                claims.push(claim(Scope::Key, &name, Kind::Running, Cap::Most(MOST)));
                claims.push(budget(&name, Unit::Tokens, BUDGET));
            }
            let taken = table.take(&mut claims, tokens(amount), at(now));
            proptest::prop_assert_eq!(taken.is_ok(), model.take(&subjects, amount, now));
            if taken.is_ok() {
                open.push((subjects, claims, amount));
            }
            for (subject, (spent, kept)) in model.spent.iter().enumerate() {
                let name = budget(&subject.to_string(), Unit::Tokens, BUDGET).name;
                let Cell::Spend { spent: found, reserved } = table.cell(&name) else { panic!() };
                proptest::prop_assert_eq!((found.tokens(), reserved.tokens), (*spent, *kept));
            }
        }
    }
}

#[test]
fn sixteen_threads_never_exceed_a_limit_by_one() {
    for claims in [
        vec![rate(Scope::Key, "k", "100/day")],
        vec![budget("k", Unit::Tokens, 100)],
        vec![claim(Scope::Key, "k", Kind::Running, Cap::Most(100))],
        vec![
            rate(Scope::Key, "k", "150/day"),
            rate(Scope::Everyone, "", "100/day"),
            budget("k", Unit::Tokens, 120),
        ],
    ] {
        let (table, taken) = (Table::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let ok = table.take(&mut claims.clone(), tokens(1), at(0)).is_ok();
                        taken.fetch_add(usize::from(ok), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(taken.into_inner(), 100);
    }
}

#[test]
fn p31_a_budget_is_never_overdrawn_by_what_is_under_way() {
    let table = Table::new();
    let money = |money| Ask { tokens: 0, money };
    let mut claims = vec![budget("k", Unit::Money, 100)];
    assert!(table.take(&mut claims, money(60), at(0)).is_ok());
    let (refusal, _) = table.take(&mut claims, money(60), at(0)).unwrap_err();
    assert_eq!(refusal.wait, None, "the first may cost less");
    table.settle(&claims, money(60), used(0, 50), at(0));
    assert!(table.take(&mut claims, money(50), at(0)).is_ok());
    table.settle(&claims, money(50), used(0, 50), at(0));
    let (refusal, _) = table.take(&mut claims, money(0), at(0)).unwrap_err();
    assert_eq!(refusal.wait, Some(Duration::from_hours(24)), "spent up");
}

#[test]
fn more_than_was_reserved_is_a_debt() {
    let table = Table::new();
    let mut claims = vec![rate(Scope::Key, "k", "60/minute")];
    table.take(&mut claims, tokens(10), at(0)).unwrap();
    table.settle(&claims, tokens(10), used(90, 0), at(0));
    let (refusal, standing) = table.take(&mut claims, tokens(1), at(0)).unwrap_err();
    assert_eq!(refusal.wait, Some(Duration::from_secs(31)));
    assert_eq!(standing.tokens.unwrap().remaining, 0);
    let never = table.take(&mut claims, tokens(61), at(0)).unwrap_err().0;
    assert!(never.never);
}

#[test]
fn what_is_whole_again_is_forgotten() {
    let table = Table::new();
    let mut claims = vec![
        rate(Scope::Key, "idle", "60/minute"),
        rate(Scope::Key, "busy", "60/day"),
        claim(Scope::Key, "k", Kind::Running, Cap::Most(1)),
        budget("k", Unit::Tokens, 100),
    ];
    table.take(&mut claims, tokens(60), at(0)).unwrap();
    table.sweep(at(61 * SECOND));
    assert_eq!(len(&table), 3);
    table.settle(&claims, tokens(60), used(60, 0), at(0));
    table.sweep(at(61 * SECOND));
    assert_eq!(len(&table), 2, "the budget's day is not over");
    table.sweep(at(2 * 86_400 * SECOND));
    assert_eq!(len(&table), 0);
    assert_eq!(table.cells.load(Ordering::Relaxed), 0);
}

#[test]
fn names_of_clients_do_not_grow_the_table() {
    let mut table = Table::new();
    table.max_cells = 8;
    for user in 0..100 {
        let mut claims = vec![rate(Scope::User, &user.to_string(), "1/day")];
        let taken = table.take(&mut claims, tokens(1), at(0));
        assert_eq!(taken.is_ok(), user <= 8, "those over it share one limit");
    }
    assert_eq!(len(&table), 9);
}
