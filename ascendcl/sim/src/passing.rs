//! Sockets between processes: who is at the other end, and handing over open files.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

/// The user that this process acts for.
pub(crate) fn user() -> u32 {
    // SAFETY: A call without preconditions.
    unsafe { libc::geteuid() }
}

/// The process at the other end of a socket, as the system tells.
pub(crate) struct Peer {
    pub process: u32,
    pub user: u32,
}

pub(crate) fn peer(socket: &UnixStream) -> io::Result<Peer> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: The value has the size that is told.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &mut size,
        )
    };
    if code == 0 {
        Ok(Peer { process: found.pid.cast_unsigned(), user: found.uid })
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether the other end of a socket is closed.
pub(crate) fn is_over(socket: &UnixStream) -> bool {
    let mut asked = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: One entry, of a socket that is open.
    let found = unsafe { libc::poll(&mut asked, 1, 0) };
    found > 0
}

/// Room for the one file of a message, aligned as its header wants.
#[repr(align(8))]
struct Control([u8; 64]);

const FILE_SIZE: u32 = size_of::<RawFd>() as u32;

fn message(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: Zeros are a message without anything.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: Plain arithmetic.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(FILE_SIZE) } as _;
    message
}

/// Sends bytes and a file.
pub(crate) fn send(socket: &UnixStream, bytes: &[u8], file: &impl AsFd) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    let message = message(&mut part, &mut control);
    // SAFETY: The room for control data holds a header and a file, which are written within it; the system reads the
    // bytes and the control data only.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(FILE_SIZE) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(file.as_fd().as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL)
    };
    match usize::try_from(sent) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Receives as many bytes as there is room for, and the file that came with them.
pub(crate) fn receive(mut socket: &UnixStream, bytes: &mut [u8]) -> io::Result<Option<OwnedFd>> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut control = Control([0; 64]);
    let mut message = message(&mut part, &mut control);
    // SAFETY: The system writes within the bytes and the room for control data.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: The header is null or within the control data that the system wrote.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message).cast_const().as_ref() };
    // SAFETY: Plain arithmetic.
    let least = unsafe { libc::CMSG_LEN(FILE_SIZE) } as _;
    let file = header.filter(|header| {
        header.cmsg_level == libc::SOL_SOCKET
            && header.cmsg_type == libc::SCM_RIGHTS
            && header.cmsg_len >= least
    });
    let file = file.map(|header| {
        // SAFETY: The header says that a file follows, which the system opened for this process.
        unsafe {
            OwnedFd::from_raw_fd(libc::CMSG_DATA(ptr::from_ref(header)).cast::<RawFd>().read_unaligned())
        }
    });
    match received {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        received => io::Read::read_exact(&mut socket, &mut bytes[received..]).map(|()| file),
    }
}
