//! Work divided among the threads of a pool.

/// A piece of work that can be halved.
pub(super) trait Divide: Send + Sized {
    /// Units of work in it.
    fn units(&self) -> usize;

    /// Two pieces with the first and the last half of its units.
    fn halve(self) -> (Self, Self);
}

/// Does the work in pieces, a few for each thread of the current pool.
///
/// Few pieces, because one token's whole call takes about a millisecond; a few for each thread, because the threads
/// do not all start at once.
pub(super) fn in_pieces<P: Divide>(all: P, work: &(impl Fn(P) + Sync)) {
    const PIECES_PER_THREAD: usize = 8;
    let largest = all.units() / (rayon::current_num_threads() * PIECES_PER_THREAD);
    in_pieces_of(all, largest.max(1), work);
}

fn in_pieces_of<P: Divide>(piece: P, largest: usize, work: &(impl Fn(P) + Sync)) {
    if piece.units() <= largest {
        return work(piece);
    }
    let (first, last) = piece.halve();
    rayon::join(|| in_pieces_of(first, largest, work), || in_pieces_of(last, largest, work));
}
