//! Posts on their way: cut to what the channel takes, tried again, given up aloud.

use moorline_spec::address::Address;
use moorline_spec::channel::TextLimit;
use moorline_spec::effect::{Deliver, Effect, Report};
use moorline_spec::id::{DeliveryId, Text};
use moorline_spec::stimulus::{Delivered, Receipt};
use moorline_spec::time::{Span, Time};

use super::decisions::{Again, Doubt, Traffic};
use super::given_up::GivenUp;
use super::journal::Dirty;
use super::state::{Failure, Post, Purpose, Standing, Timer};
use super::{Reference, keys};

/// How many failures `subagents` can show.
const FAILURES_MAX: usize = 1_000;

impl Reference {
    /// A text sets out to an address.
    pub(super) fn post(
        &mut self,
        to: &Address,
        text: Text,
        stem: Text,
        run: Option<u64>,
        purpose: Purpose,
    ) -> u64 {
        self.state.posts_made += 1;
        let number = self.state.posts_made;
        let post = Post {
            number,
            to: to.clone(),
            text,
            stem,
            run,
            purpose,
            sent: 0,
            piece: 0,
            attempt: 0,
            repeat: false,
            doubted: false,
            since: self.now,
            resumes: None,
            delivery: None,
            retry_at: None,
        };
        self.state.posts.insert(number, post);
        if self.is_stopped(to) {
            // Whoever asked has to note first that it is on its way.
            self.retry_at(number, self.now);
        } else {
            self.set_out(number);
        }
        number
    }

    fn text_limit(&self, to: &Address) -> Option<TextLimit> {
        self.channel(&to.channel)?.capabilities.text_limit
    }

    /// Asks for the next piece of a post, where its account is on.
    pub(super) fn attempt(&mut self, number: u64) {
        let Some(to) = self.state.posts.get(&number).map(|post| &post.to) else {
            return;
        };
        if self.is_stopped(to) {
            return self.give_up(number, "its account is switched off");
        }
        self.set_out(number);
    }

    /// Asks for the next piece of a post.
    fn set_out(&mut self, number: u64) {
        let made = self.state.deliveries_made + 1;
        let delivery = DeliveryId::from(self.name("d", made));
        let now = self.now;
        let Some(post) = self.state.posts.get_mut(&number) else {
            return;
        };
        let mut channels = self.channels.iter();
        let channel = channels.find(|channel| channel.id == post.to.channel);
        let limit = channel.and_then(|channel| channel.capabilities.text_limit);
        let window = channel.and_then(|channel| channel.capabilities.idempotency_window);
        let rest = &post.text[post.sent..];
        let length = self.decisions.piece(rest, limit);
        let whole = post.sent == 0 && length == rest.len();
        let text = if whole {
            post.text.clone()
        } else {
            Text::from(&rest[..length])
        };
        if post.attempt == 0 {
            post.since = now;
        }
        // The channel may have forgotten the key by now.
        let recognised = window.is_some_and(|window| now.since(post.since) < window);
        post.repeat |= post.doubted && !recognised;
        post.attempt += 1;
        post.retry_at = None;
        post.delivery = Some(delivery.clone());
        let key = self
            .decisions
            .delivery_key(&post.stem, post.piece + 1, whole, post.attempt);
        self.out.push(Effect::Deliver(Deliver {
            delivery: delivery.clone(),
            to: post.to.clone(),
            text,
            key,
            repeat: post.repeat,
        }));
        self.state.deliveries_made = made;
        self.state.deliveries.insert(delivery, number);
        self.dirty(Dirty::Post(number));
    }

    pub(super) fn on_receipt(&mut self, receipt: &Receipt) {
        let Some(number) = self.state.deliveries.remove(&receipt.delivery) else {
            return;
        };
        let of_it = self.state.posts.get(&number);
        if of_it.is_none_or(|post| post.delivery.as_ref() != Some(&receipt.delivery)) {
            return;
        }
        match &receipt.outcome {
            Delivered::Accepted { .. } => self.arrived(number),
            Delivered::Refused {
                permanent,
                retry_after,
                why,
            } => {
                let wait = retry_after.map(|wait| Span(wait.0));
                self.refused(number, *permanent, wait, why);
            }
            Delivered::Unknown {} => self.in_doubt(number, false),
        }
    }

    fn arrived(&mut self, number: u64) {
        let Some(to) = self.state.posts.get(&number).map(|post| &post.to) else {
            return;
        };
        let limit = self.text_limit(to);
        let Some(post) = self.state.posts.get(&number) else {
            return;
        };
        let sent = post.sent + self.decisions.piece(&post.text[post.sent..], limit);
        if sent < post.text.len() {
            let Some(post) = self.state.posts.get_mut(&number) else {
                return;
            };
            post.sent = sent;
            post.piece += 1;
            post.attempt = 0;
            post.repeat = false;
            post.doubted = false;
            return self.attempt(number);
        }
        let Some(post) = self.state.posts.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Post(number));
        // A binding that lapsed meanwhile is over, though nobody looked since.
        if let Some(binding) = self.number_at(&post.to)
            && self.lapsed_at_lookup(binding).is_none()
        {
            let of = self
                .state
                .bindings
                .get(&binding)
                .map(|binding| &binding.key);
            let traffic = match &post.purpose {
                Purpose::Output(key) if of == Some(key) => Traffic::Output,
                Purpose::Output(_) | Purpose::Completion(_) | Purpose::Notice => Traffic::Notice,
            };
            self.touch(binding, traffic);
        }
        if let Some(debt) = self.carried_by(&post) {
            self.settle(debt);
        }
    }

    /// What is settled by a post: the completion that it is for, or one whose words it has anyway.
    fn carried_by(&self, post: &Post) -> Option<u64> {
        if let Purpose::Completion(debt) = post.purpose {
            return Some(debt);
        }
        let debt = self.state.debts.get(&post.run?)?;
        (debt.state == Standing::Post(post.number)).then_some(debt.run)
    }

    fn refused(&mut self, number: u64, permanent: bool, wait: Option<Span>, why: &Text) {
        let Some(post) = self.state.posts.get_mut(&number) else {
            return;
        };
        post.delivery = None;
        let spent = self.now.since(post.since);
        let attempt = post.attempt;
        let to = post.to.clone();
        if self
            .decisions
            .retries(permanent, spent, self.dials.relay_window)
        {
            let pause = self
                .decisions
                .retry_after(attempt)
                .max(wait.unwrap_or(Span::ZERO));
            self.retry_at(number, self.now + pause);
        } else {
            let words = if permanent {
                "refused"
            } else {
                "not taken in time"
            };
            let why = if why.is_empty() { words } else { why.as_str() };
            self.give_up(number, why);
        }
        self.probe_after_refusal(&to);
    }

    pub(super) fn retry_at(&mut self, number: u64, at: Time) {
        if let Some(post) = self.state.posts.get_mut(&number) {
            post.retry_at = Some(at);
            self.state.timers.insert((at, Timer::Post(number)));
            self.dirty(Dirty::Post(number));
        }
    }

    /// Nobody knows whether the last attempt happened.
    pub(super) fn in_doubt(&mut self, number: u64, restarted: bool) {
        let Some(post) = self.state.posts.get(&number) else {
            return;
        };
        let channel = self.channel(&post.to.channel);
        let since = self.now.since(post.since);
        let window = channel.and_then(|channel| channel.capabilities.idempotency_window);
        let again = self.decisions.after_unknown(&Doubt {
            dial: self.dials.after_unknown,
            window,
            since,
            restarted,
        });
        let attempt = post.attempt;
        // Whoever takes it up by hand has to know that it may be there.
        if let Some(post) = self.state.posts.get_mut(&number) {
            post.doubted = true;
        }
        match again {
            Again::GiveUp => return self.give_up(number, "nobody knows whether it was delivered"),
            Again::Assume => return self.arrived(number),
            Again::ByKey | Again::Marked | Again::Blindly => (),
        }
        if !self
            .decisions
            .retries(false, since, self.dials.relay_window)
        {
            return self.give_up(
                number,
                "nobody knows whether it was delivered, and time is up",
            );
        }
        let pause = self.decisions.retry_after(attempt);
        let at = if restarted {
            self.now
        } else {
            self.now + pause
        };
        if let Some(post) = self.state.posts.get_mut(&number) {
            post.delivery = None;
            post.doubted = again != Again::Blindly;
            post.repeat = again == Again::Marked;
        }
        if restarted {
            self.attempt(number);
        } else {
            self.retry_at(number, at);
        }
    }

    /// A post will not arrive; the gateway says so.
    pub(super) fn give_up(&mut self, number: u64, why: &str) {
        let Some(post) = self.state.posts.remove(&number) else {
            return;
        };
        self.dirty(Dirty::Post(number));
        let debt = self.carried_by(&post);
        if let Some(run) = debt.or(post.run) {
            if let Some(resumed) = post.resumes {
                self.report_failure(resumed, Some(post.to.clone()), why);
            }
            self.report_failure(run, Some(post.to.clone()), why);
            let owed = debt.and_then(|debt| self.state.debts.get(&debt)).cloned();
            let session = match &post.purpose {
                Purpose::Output(key) => Some(key.clone()),
                Purpose::Completion(_) | Purpose::Notice => None,
            };
            self.keep_given_up(GivenUp {
                run,
                session,
                debt: owed,
                post: Some(Post::clone(&post)),
            });
        }
        if let Some(debt) = debt {
            self.settle(debt);
        }
    }

    pub(super) fn report_failure(&mut self, run: u64, address: Option<Address>, why: &str) {
        let failure = Failure {
            run: keys::run_id(run),
            address,
            why: Text::from(why),
        };
        self.state.failures.push_back(failure.clone());
        if self.state.failures.len() > FAILURES_MAX {
            self.state.failures.pop_front();
        }
        self.tell_of_failure(failure);
    }

    /// Says that something failed, and notes that it did.
    pub(super) fn tell_of_failure(&mut self, failure: Failure) {
        self.dirty(Dirty::Failure(failure.run.clone()));
        let Failure { run, address, why } = failure;
        self.out
            .push(Effect::Report(Report::Failed { run, address, why }));
    }
}
