/*
 * What this node does not do yet, in one place: keys leave these tables as the node learns.
 */
import type { Problem } from './problems.ts'
import type { Config } from './schema.ts'

interface Missing {
  readonly key: string
  /** Whether the configuration asks for it. */
  asked(config: Config): boolean
  readonly message: string
}

/** Without these the node would do something else than it was told, so it does nothing. */
const REFUSED: readonly Missing[] = [
  {
    key: 'node.based_sequencer',
    asked: ({ node }) => node.basedSequencer,
    message: 'not supported by this node yet',
  },
  {
    key: 'node.promotable',
    asked: ({ node }) => node.promotable,
    message: 'not supported by this node yet',
  },
  { key: 'raft.enable', asked: ({ raft }) => raft.enable, message: 'not supported by this node yet' },
  {
    key: 'signer.signer_type',
    asked: ({ signer }) => signer.signerType === 'kms',
    message: 'kms is not supported by this node yet; use file',
  },
]

/** Without these the node still follows the chain, only with less comfort: said once at start. */
const WITHOUT_EFFECT: readonly Missing[] = [
  {
    key: 'da.forced_inclusion_namespace',
    asked: ({ da }) => da.forcedInclusionNamespace !== '',
    message: 'this version does not include transactions that were posted to DA',
  },
  {
    key: 'node.aggregator',
    asked: ({ node, da }) => node.aggregator && da.address.trim() === '',
    message: 'without da.address blocks go to peers alone; nothing becomes final',
  },
  {
    key: 'p2p.blocked_peers',
    asked: ({ p2p }) => p2p.disableConnectionGater && p2p.blockedPeers.length > 0,
    message: 'ignored while p2p.disable_connection_gater is true',
  },
  {
    key: 'p2p.allowed_peers',
    asked: ({ p2p }) => p2p.disableConnectionGater && p2p.allowedPeers.length > 0,
    message: 'ignored while p2p.disable_connection_gater is true',
  },
]

function asked(table: readonly Missing[], config: Config): Problem[] {
  return table
    .filter((missing) => missing.asked(config))
    .map(({ key, message }) => ({ key, origin: undefined, message }))
}

/** What `config` asks for that this node cannot do. */
export function unsupported(config: Config): Problem[] {
  return asked(REFUSED, config)
}

/** What `config` asks for that has no effect. */
export function withoutEffect(config: Config): Problem[] {
  return asked(WITHOUT_EFFECT, config)
}
