import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { peerIdFromString } from '@libp2p/peer-id'
import type { PeerId } from '../core/network.ts'
import { EvolveError } from '../util/errors.ts'

/** Where a named peer can be reached. */
export interface PeerAddress {
  readonly peer: PeerId
  readonly address: Multiaddr
}

function parse(text: string, code: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new EvolveError(code, `'${text}' is not a multiaddress`, { cause, data: { address: text } })
  }
}

/**
 * Reads `/ip4/…/tcp/…/p2p/<id>` and the like (ip6, dns, dns4, dns6). Throws `INVALID_PEER_ADDRESS` naming the text.
 */
export function parsePeerAddress(text: string): PeerAddress {
  const address = parse(text, 'INVALID_PEER_ADDRESS')
  const parts = address.getComponents()
  const last = parts.at(-1)
  const hasRoute = parts.some(({ name }) => name === 'tcp' || name === 'udp' || name === 'unix')
  try {
    if (hasRoute && last?.name === 'p2p') return { peer: parsePeerId(last.value ?? ''), address }
  } catch {
    // Not the id of a peer: named below with the whole address.
  }
  throw new EvolveError(
    'INVALID_PEER_ADDRESS',
    `'${text}' must name a place and a peer, as /ip4/203.0.113.7/tcp/7676/p2p/12D3Koo… does`,
    { data: { address: text } },
  )
}

/** Reads a peer id in any of its text forms and gives the usual one. Throws `INVALID_PEER_ID` naming the text. */
export function parsePeerId(text: string): PeerId {
  try {
    return peerIdFromString(text).toString()
  } catch (cause) {
    throw new EvolveError('INVALID_PEER_ID', `'${text}' is not a peer id`, { cause, data: { peer: text } })
  }
}

/** Reads a multiaddress to listen on. Throws `INVALID_LISTEN_ADDRESS` naming the text. */
export function parseListenAddress(text: string): Multiaddr {
  return parse(text, 'INVALID_LISTEN_ADDRESS')
}

/** The host part of a multiaddress (an IP address or a name), or undefined if it has none. */
export function hostOf(address: Multiaddr): string | undefined {
  const [first] = address.getComponents()
  return first === undefined || !/^(?:ip|dns)/.test(first.name) ? undefined : first.value
}

/** Whether a host is this machine itself. */
export function isLoopback(host: string): boolean {
  return host === '::1' || /^(?:::ffff:)?127\./.test(host)
}
