//! Memory for many small rows: in blocks of a mebibyte, in pieces of 16 bytes that are given out, taken back and given out
//! again, so that a row has a place of 4 bytes, and no more beside it than those and its length.

use std::collections::BTreeMap;

/// Bytes of a piece.
const PIECE: usize = 16;
/// Pieces of a block, unless one row needs more.
const BLOCK: u32 = 1 << 16;
/// Bits of a place that count pieces; those above them count blocks. So a row has at most 16 MiB, and all of them 4 GiB.
const PIECE_BITS: u32 = 20;
/// What stands before a row: how many pieces it has, with this bit if nobody has them.
const FREE: u32 = 1 << 31;
const HEAD: usize = 4;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place(u32);

impl Place {
    const fn block(self) -> usize {
        (self.0 >> PIECE_BITS) as usize
    }

    /// Its first byte within its block.
    const fn start(self) -> usize {
        (self.0 & ((1 << PIECE_BITS) - 1)) as usize * PIECE
    }
}

/// The rows.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// Rows and what was taken back, one after the other.
    blocks: Vec<Vec<u8>>,
    /// What was taken back, by its pieces. It is split, and never joined: rows of the same size come and go.
    free: BTreeMap<u32, Vec<Place>>,
    bytes: usize,
}

impl Arena {
    /// Puts a row in, with room to grow by this many bytes; `None` if it is too large, or nothing more fits in.
    pub(super) fn put(&mut self, row: &[u8], room: usize) -> Option<Place> {
        let pieces = u32::try_from((HEAD + row.len() + room).div_ceil(PIECE)).ok()?;
        let place = self.reuse(pieces).or_else(|| self.extend(pieces))?;
        self.write(place, pieces, row);
        Some(place)
    }

    /// The row at a place, and zeros behind it.
    pub(super) fn get(&self, place: Place) -> &[u8] {
        let found = || {
            let from = self.blocks.get(place.block())?.get(place.start()..)?;
            let (head, _) = from.split_first_chunk()?;
            from.get(HEAD..u32::from_le_bytes(*head) as usize * PIECE)
        };
        found().unwrap_or_default()
    }

    /// Puts another row in the place of one; it says where that is now. `None` as with [`put`](Self::put), and nothing is
    /// changed then.
    pub(super) fn replace(&mut self, place: Place, row: &[u8]) -> Option<Place> {
        let had = self.get(place).len();
        if row.len() <= had {
            self.write(place, pieces(had), row);
            return Some(place);
        }
        let new = self.put(row, 0)?;
        self.remove(place);
        Some(new)
    }

    /// Takes a row's place back.
    pub(super) fn remove(&mut self, place: Place) {
        let pieces = pieces(self.get(place).len());
        self.mark(place, pieces | FREE);
        self.free.entry(pieces).or_default().push(place);
    }

    /// The rows of a block, the blocks being counted round and round.
    pub(super) fn block(&self, number: usize) -> impl Iterator<Item = (Place, &[u8])> {
        let number = number.checked_rem(self.blocks.len()).unwrap_or(0);
        let mut rest = self.blocks.get(number).map_or(&[][..], Vec::as_slice);
        let mut piece = 0;
        let all = std::iter::from_fn(move || {
            let head = u32::from_le_bytes(*rest.first_chunk()?);
            let pieces = head & !FREE;
            let (row, after) = rest.split_at_checked(pieces as usize * PIECE)?;
            let place = locate(number, piece)?;
            (rest, piece) = (after, piece + pieces);
            Some((head & FREE == 0, place, row.get(HEAD..)?))
        });
        all.filter_map(|(taken, place, row)| taken.then_some((place, row)))
    }

    /// Bytes of all blocks.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A place that was taken back: of those that are large enough the smallest.
    fn reuse(&mut self, pieces: u32) -> Option<Place> {
        let (&found, places) = self.free.range_mut(pieces..).next()?;
        let place = places.pop()?;
        if places.is_empty() {
            self.free.remove(&found);
        }
        let rest = found - pieces;
        if rest > 0 {
            let behind = Place(place.0 + pieces);
            self.mark(behind, rest | FREE);
            self.free.entry(rest).or_default().push(behind);
        }
        Some(place)
    }

    /// A place behind all others.
    fn extend(&mut self, pieces: u32) -> Option<Place> {
        let size = pieces as usize * PIECE;
        let fits = |block: &Vec<u8>| block.capacity() - block.len() >= size;
        if !self.blocks.last().is_some_and(fits) {
            let block = Vec::with_capacity(size.max(BLOCK as usize * PIECE));
            locate(self.blocks.len(), pieces)?;
            self.bytes += block.capacity();
            self.blocks.push(block);
        }
        let number = self.blocks.len().checked_sub(1)?;
        let block = self.blocks.last_mut()?;
        let place = locate(number, u32::try_from(block.len() / PIECE).ok()?)?;
        block.resize(block.len() + size, 0);
        Some(place)
    }

    fn write(&mut self, place: Place, pieces: u32, row: &[u8]) {
        self.mark(place, pieces);
        let from = place.start() + HEAD;
        let to = place.start() + pieces as usize * PIECE;
        let block = self.blocks.get_mut(place.block());
        let room = block.and_then(|block| block.get_mut(from..to));
        if let Some((taken, rest)) = room.and_then(|room| room.split_at_mut_checked(row.len())) {
            taken.copy_from_slice(row);
            rest.fill(0);
        }
    }

    fn mark(&mut self, place: Place, head: u32) {
        let block = self.blocks.get_mut(place.block());
        let from = block.and_then(|block| block.get_mut(place.start()..));
        if let Some(old) = from.and_then(|from| from.first_chunk_mut()) {
            *old = head.to_le_bytes();
        }
    }
}

/// The pieces of a row of which this many bytes can be had.
fn pieces(length: usize) -> u32 {
    u32::try_from((HEAD + length) / PIECE).unwrap_or(0)
}

fn locate(block: usize, piece: u32) -> Option<Place> {
    let block = u32::try_from(block).ok()?;
    let fits = block < 1 << (32 - PIECE_BITS) && piece < 1 << PIECE_BITS;
    fits.then_some(Place(block << PIECE_BITS | piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use std::collections::HashMap;

    fn is(arena: &Arena, place: Place, row: &[u8]) -> bool {
        let found = arena.get(place);
        found.starts_with(row) && found[row.len()..].iter().all(|byte| *byte == 0)
    }

    #[test]
    fn what_is_taken_back_is_given_out_again() {
        let mut arena = Arena::default();
        let large = arena.put(&[1; 100], 0).unwrap();
        let other = arena.put(&[2; 12], 0).unwrap();
        arena.remove(large);
        let [one, two] = [28, 60].map(|length| arena.put(&vec![3; length], 0).unwrap());
        assert_eq!((one, two), (large, Place(large.0 + 2)));
        assert_eq!(arena.put(&[4; 13], 0).unwrap(), Place(other.0 + 1));
        assert_eq!(arena.replace(two, &[5; 61]).unwrap(), Place(other.0 + 3));
        assert!(is(&arena, other, &[2; 12]) && is(&arena, one, &[3; 28]));
        assert_eq!(arena.bytes(), 1 << 20);
    }

    #[test]
    fn a_row_with_room_grows_where_it_is() {
        let mut arena = Arena::default();
        let place = arena.put(&[1; 20], 30).unwrap();
        arena.put(&[2; 20], 0).unwrap();
        for length in [50, 3, 60] {
            assert_eq!(arena.replace(place, &vec![7; length]), Some(place));
            assert!(is(&arena, place, &vec![7; length]));
        }
        assert_ne!(arena.replace(place, &[7; 61]), Some(place));
    }

    #[test]
    fn rows_larger_than_a_block_have_their_own_and_those_that_fit_nowhere_none() {
        let mut arena = Arena::default();
        let large = vec![1; 3 << 20];
        let place = arena.put(&large, 0).unwrap();
        let small = arena.put(&[2], 0).unwrap();
        assert!(is(&arena, place, &large) && is(&arena, small, &[2]));
        assert_eq!(arena.put(&vec![1; 16 << 20], 0), None);
        assert_eq!(arena.replace(small, &vec![1; 16 << 20]), None);
        assert!(is(&arena, small, &[2]));
        assert_eq!(arena.block(0).count() + arena.block(1).count(), 2);
    }

    /// Whatever comes, grows, shrinks and goes: rows are what was put in, and all are met once.
    #[test]
    fn it_holds_what_a_map_holds() {
        let mut random = StdRng::seed_from_u64(4);
        let (mut arena, mut map) = (Arena::default(), HashMap::<Place, Vec<u8>>::new());
        for step in 0..60_000 {
            let row = vec![random.random(); random.random_range(1..200)];
            let known = map.keys().next().copied();
            match (random.random_range(0..6), known) {
                (0, Some(place)) => {
                    arena.remove(place);
                    map.remove(&place);
                }
                (1, Some(place)) => {
                    map.remove(&place);
                    let place = arena.replace(place, &row).unwrap();
                    assert_eq!(map.insert(place, row), None);
                }
                _ if map.len() < 9_000 => {
                    let place = arena.put(&row, random.random_range(0..50)).unwrap();
                    assert_eq!(map.insert(place, row), None);
                }
                _ => {}
            }
            if step % 10_000 == 9_999 {
                let blocks = arena.blocks.len();
                let met: Vec<_> = (0..blocks).flat_map(|number| arena.block(number)).collect();
                assert_eq!(met.len(), map.len());
                assert!(met.iter().all(|(place, _)| is(&arena, *place, &map[place])));
            }
        }
        assert!(arena.blocks.len() <= 2, "{}", arena.blocks.len());
    }
}
