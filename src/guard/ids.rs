//! The ids of an answer under which its provider may keep it. Later events repeat those of earlier ones.

/// The most ids of one answer that are noted.
const MAX_IDS: usize = 256;

/// Ids in the order in which they came, each once.
#[derive(Debug, Default)]
pub(super) struct Ids {
    all: Vec<String>,
    told: usize,
}

impl Ids {
    /// Takes note of the ids of an event.
    pub(super) fn note(&mut self, ids: Vec<String>) {
        for id in ids {
            if self.all.len() < MAX_IDS && !self.all.contains(&id) {
                self.all.push(id);
            }
        }
    }

    /// Those that were not told yet.
    pub(super) fn untold(&mut self) -> Vec<String> {
        let new = self.all.get(self.told..).unwrap_or_default().to_vec();
        self.told = self.all.len();
        new
    }
}
