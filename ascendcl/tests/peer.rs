//! Copies between devices. Each test has a pair of its own, as access is a device's.

mod common;

use std::thread;

use ascendcl::Error;
use common::{Gate, device};

#[test]
fn peers_need_access() {
    let (here, there) = (device(0).stream().unwrap(), device(1).stream().unwrap());
    let from = there.alloc_from(&[1u32, 2, 3]).unwrap();
    let mut to = here.alloc_from(&[0u32; 4]).unwrap();
    let refused = here.copy_from_peer(&from, to.slice_mut(1..).unwrap());
    assert!(matches!(refused, Err(Error::Acl(_))), "{refused:?}");
    assert_eq!(here.download_vec(&to).unwrap(), [0; 4]);

    here.device().enable_peer_access(there.device()).unwrap();
    here.copy_from_peer(&from, to.slice_mut(1..).unwrap()).unwrap();
    assert_eq!(here.download_vec(&to).unwrap(), [0, 1, 2, 3]);
    let error = here.copy_from_peer(&from, &mut to).unwrap_err();
    assert!(matches!(error, Error::Shape(_)), "{error}");
    // The other way round it is not allowed, and a device is no peer of itself.
    let mut back = there.alloc_from(&[8u32; 4]).unwrap();
    assert!(there.copy_from_peer(&to, &mut back).is_err());
    assert_eq!(there.download_vec(&back).unwrap(), [8; 4]);
    let same = here.alloc_from(&[1u32; 4]).unwrap();
    assert!(matches!(here.copy_from_peer(&same, &mut to), Err(Error::Acl(_))));
    // The destination is the stream's own.
    let error = here.copy_from_peer(&from, back.slice_mut(..3).unwrap()).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    let result = here.capture(|stream| stream.copy_from_peer(&from, to.slice_mut(1..).unwrap()));
    assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
}

#[test]
fn a_copy_follows_what_the_peer_has_yet_to_write() {
    let (here, there) = (device(2).stream().unwrap(), device(3).stream().unwrap());
    here.device().enable_peer_access(there.device()).unwrap();
    let mut from = there.alloc_from(&[0u8; 100]).unwrap();
    let mut to = here.alloc_from(&[0u8; 100]).unwrap();
    let gate = Gate::close(&there);
    there.fill_bytes(&mut from, 5).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Late, so that a copy that waits for nothing is long done.
            (0..10_000).for_each(|_| thread::yield_now());
            drop(gate);
        });
        here.copy_from_peer(&from, &mut to).unwrap();
    });
    // The source may be written at once.
    there.fill_bytes(&mut from, 6).unwrap();
    assert_eq!(here.download_vec(&to).unwrap(), [5; 100]);
    assert_eq!(there.download_vec(&from).unwrap(), [6; 100]);
}
