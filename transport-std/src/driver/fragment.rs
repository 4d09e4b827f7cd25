//! Datagrams that IP may cut on the way: the classic dialect's are larger than an Ethernet frame.
//!
//! The socket's other datagrams must not be cut, or the largest size that passes could not be found out. So the flag is changed
//! around each of these datagrams; they are few.

use std::io;
use std::net::UdpSocket;

/// Lets IP cut what the socket sends, or goes back to what `quinn-udp` sets: the don't-fragment flag, whatever ICMP says of the
/// path.
#[cfg(target_os = "linux")]
pub(super) fn set(socket: &UdpSocket, six: bool, may_fragment: bool) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt::Ipv6DontFrag};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
    };
    let (four, whole) = match may_fragment {
        true => (Ipv4PathMtuDiscovery::DONT, Ipv6PathMtuDiscovery::DONT),
        false => (Ipv4PathMtuDiscovery::PROBE, Ipv6PathMtuDiscovery::PROBE),
    };
    // IPv4 packets of an IPv6 socket follow the IPv4 option.
    set_ip_mtu_discover(socket, four)?;
    if six {
        set_ipv6_mtu_discover(socket, whole)?;
        setsockopt(socket, Ipv6DontFrag, &!may_fragment)?;
    }
    Ok(())
}

/// Elsewhere the flag stays as `quinn-udp` sets it: where it sets one, these datagrams pass only where they need not be cut.
#[cfg(not(target_os = "linux"))]
pub(super) fn set(_socket: &UdpSocket, _six: bool, _may_fragment: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::sys::socket::{getsockopt, sockopt::Ipv6DontFrag};
    use rustix::net::sockopt::{
        Ipv4PathMtuDiscovery as Four, Ipv6PathMtuDiscovery as Six, ip_mtu_discover,
        ipv6_mtu_discover,
    };

    use super::super::Socket;

    /// An IPv6 socket has three flags: all must let go, and all come back.
    #[test]
    fn classic_datagrams_may_be_cut_and_no_others() {
        let socket = Socket::bind("[::]:0".parse().unwrap()).unwrap();
        let io = socket.io();
        if io.local_addr().unwrap().is_ipv4() {
            return;
        }
        let flags = || {
            let whole = getsockopt(io, Ipv6DontFrag).unwrap();
            (
                ip_mtu_discover(io).unwrap(),
                ipv6_mtu_discover(io).unwrap(),
                whole,
            )
        };
        let usual = flags();
        assert_eq!(usual, (Four::PROBE, Six::PROBE, true));
        super::set(io, true, true).unwrap();
        assert_eq!(flags(), (Four::DONT, Six::DONT, false));
        super::set(io, true, false).unwrap();
        assert_eq!(flags(), usual);
    }
}
