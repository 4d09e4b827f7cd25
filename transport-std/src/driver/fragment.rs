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
