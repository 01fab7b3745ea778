//! Who takes part, and where: people, places, channels.

use std::collections::BTreeMap;

use moorline_sim::channel;
use moorline_spec::address::{Address, Place};
use moorline_spec::channel::{Channel, Threading};
use moorline_spec::id::PersonId;
use moorline_spec::scenario::{ChannelForm, Home, Scenario, Where};
use moorline_spec::stimulus::{Inbound, Open};

/// People and places by their addresses.
#[derive(Debug, Default)]
pub(super) struct Cast {
    people: BTreeMap<PersonId, Home>,
    places: BTreeMap<String, Home>,
    named: BTreeMap<Address, String>,
    /// Threads by the order of opening; one that nobody knows holds its place.
    opened: Vec<Option<Address>>,
    channels: Vec<Channel>,
}

impl Cast {
    /// The channels that the gateway is joined to.
    pub(super) fn join(&mut self, open: &Open) {
        if self.channels.is_empty() {
            self.channels = open.channels.to_vec();
        }
    }

    pub(super) fn opened(&mut self, at: Option<&Address>) {
        self.opened.push(at.cloned());
    }

    /// Somebody who writes is at home in the first conversation they write in.
    pub(super) fn add(&mut self, inbound: &Inbound) {
        let (person, at) = (&inbound.from, &inbound.at);
        if self.people.contains_key(person) {
            return;
        }
        let kind = match at.thread {
            Some(_) => Place::Group,
            None => inbound.kind,
        };
        let at = at.without_thread();
        let home = home(person.as_str(), &at, kind);
        self.people.insert(person.clone(), home);
        self.named
            .entry(at)
            .or_insert_with(|| person.as_str().to_owned());
    }

    /// Where somebody writes, if not at home.
    pub(super) fn away(&mut self, inbound: &Inbound) -> Option<Where> {
        let person = inbound.from.as_str();
        let home = self.people.get(person)?;
        (home.address(person) != inbound.at).then(|| self.place(&inbound.at, inbound.kind))
    }

    /// The n-th thread that was opened.
    fn thread(&self, at: &Address) -> Option<Where> {
        let mut all = self.opened.iter();
        let index = all.position(|opened| opened.as_ref() == Some(at))?;
        Some(Where::Thread { thread: index + 1 })
    }

    /// A place by its address; it is named where it has no name yet.
    pub(super) fn place(&mut self, at: &Address, kind: Place) -> Where {
        if let Some(thread) = self.thread(at) {
            return thread;
        }
        if let Some(name) = self.named.get(at) {
            return Where::Named(name.clone());
        }
        let last = match &at.thread {
            Some(thread) => thread.as_str(),
            None => at.conversation.as_str(),
        };
        let is_free = |name: &String| {
            !self.places.contains_key(name) && !self.people.contains_key(name.as_str())
        };
        let plain = Some(last.to_owned()).into_iter();
        let numbered = (2..).map(|number| format!("{last}-{number}"));
        let name = plain.chain(numbered).find(is_free).unwrap_or_default();
        self.places.insert(name.clone(), home(&name, at, kind));
        self.named.insert(at.clone(), name.clone());
        Where::Named(name)
    }

    /// What can be said of a place only if it is there.
    pub(super) fn known(&self, at: &Address) -> Option<Where> {
        let named = || self.named.get(at).cloned().map(Where::Named);
        self.thread(at).or_else(named)
    }

    pub(super) fn take_part(self, scenario: &mut Scenario) {
        let used = |id: &Channel| {
            let homes = self.people.values().chain(self.places.values());
            homes.into_iter().any(|home| home.channel == id.id)
        };
        for channel in &self.channels {
            let form = form(channel);
            if form != ChannelForm::default() || !used(channel) {
                scenario.channels.insert(channel.id.clone(), form);
            }
        }
        scenario.people = self.people;
        scenario.places = self.places;
    }
}

fn home(name: &str, at: &Address, kind: Place) -> Home {
    Home {
        channel: at.channel.clone(),
        account: at.account.clone(),
        conversation: (at.conversation.as_str() != name).then(|| at.conversation.clone()),
        thread: at.thread.clone(),
        kind: match at.thread {
            Some(_) => Place::default(),
            None => kind,
        },
    }
}

/// What a channel is other than its name says.
fn form(channel: &Channel) -> ChannelForm {
    let usual = channel::named(channel.id.as_str());
    let can = usual.map(|usual| &usual.capabilities);
    let threading = usual.map_or_else(Threading::default, |usual| usual.threading);
    let more = channel
        .accounts
        .iter()
        .any(|account| account.as_str() != "default");
    ChannelForm {
        like: None,
        accounts: match more {
            true => channel.accounts.clone(),
            false => Vec::new(),
        },
        threading: (channel.threading != threading).then_some(channel.threading),
        capabilities: (can != Some(&channel.capabilities)).then(|| channel.capabilities.clone()),
    }
}
