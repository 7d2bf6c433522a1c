import { z } from 'zod'
import { checkListenAddress, checkPeerAddress, checkPeerId } from '../addresses.ts'
import { list, type Section, text, yesNo } from '../kinds.ts'

/** Connections to other nodes. */
export interface P2pConfig {
  /** Multiaddress. */
  readonly listenAddress: string
  /** Multiaddresses, each with its peer id. */
  readonly peers: readonly string[]
  /** Peer ids. */
  readonly blockedPeers: readonly string[]
  /** Peer ids. */
  readonly allowedPeers: readonly string[]
  readonly disableConnectionGater: boolean
}

/** Schema of {@link P2pConfig}. */
export const p2pSection: Section<P2pConfig> = z.strictObject({
  listenAddress: text('/ip4/0.0.0.0/tcp/7676', 'Multiaddress to listen on for other nodes.', {
    check: checkListenAddress,
  }),
  peers: list('Multiaddresses of nodes to connect to, with their peer ids, separated by commas.', {
    check: checkPeerAddress,
  }),
  blockedPeers: list('Peer ids that may not connect, separated by commas.', { check: checkPeerId }),
  allowedPeers: list('Peer ids that may always connect, separated by commas.', { check: checkPeerId }),
  disableConnectionGater: yesNo(
    true,
    'Ignore p2p.blocked_peers and p2p.allowed_peers. Set to false to have them applied.',
  ),
})
