/*
 * Looks at what a node depends on, from outside of it: its peers and its DA node.
 */
import type { Env } from '../core/env.ts'
import { withTimeout } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createDaClient } from '../da/client/client.node.ts'
import { ask } from '../header/exchange/ask.ts'
import { CLIENT_LIMITS } from '../header/exchange/limits.ts'
import { createHost } from '../p2p/host.node.ts'
import { generateNodeKey, type NodeKey } from '../p2p/identity.ts'
import { headerKind } from '../sync/kinds.ts'
import { exchangeProtocol } from '../types/names.ts'

/** What a peer said. */
export interface PeerFound {
  readonly agent: string
  /** Its highest header: height and time (unix nanoseconds). Undefined when it has none. */
  readonly head: { readonly height: number; readonly time: bigint } | undefined
  /** Why it did not say it; undefined when it did, or has none. */
  readonly problem: string | undefined
}

/** Milliseconds for a peer, and for one question to a DA node. */
const PEER_PATIENCE = 8_000
const DA_PATIENCE = 5_000

/**
 * Connects to a multiaddress, so that the peer proves to be who the address names, and asks for its head; listens
 * nowhere. With `nodeKey` the peer sees the node itself. Rejects with `INVALID_PEER_ADDRESS`, `PEER_UNREACHABLE` or
 * `TIMEOUT`.
 */
export async function probePeer(
  { env }: { readonly env: Env },
  {
    address,
    chainId,
    nodeKey = generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
  }: { readonly address: string; readonly chainId: string; readonly nodeKey?: NodeKey },
  outer?: AbortSignal,
): Promise<PeerFound> {
  const host = createHost(
    { env, logger: noopLogger, metrics: noopMetrics },
    { nodeKey, chainId, listen: [], peers: [], discovery: false },
  )
  await host.start()
  try {
    return await withTimeout(env, PEER_PATIENCE, outer, `peer ${address}`, async (signal) => {
      const peer = await host.dial(address, { signal })
      const answer = await ask(
        { network: host, kind: headerKind, env },
        peer,
        { type: 'head' },
        {
          protocol: exchangeProtocol(chainId, 'headerSync'),
          chainId,
          limits: CLIENT_LIMITS,
          validate: true,
          signal,
        },
      )
      const [head] = answer.items
      return {
        agent: host.connections().find((connection) => connection.peer === peer)?.agent ?? '',
        head: head === undefined ? undefined : { height: head.header.height, time: head.header.time },
        problem: head !== undefined || answer.end === 'missing' ? undefined : answer.error?.message,
      }
    })
  } finally {
    await host.stop()
  }
}

/** What a DA node said. */
export interface DaFound {
  /** 0 before the first block. */
  readonly head: number
  /** Unix nanoseconds; 0n when it does not tell. */
  readonly time: bigint
  /** Blobs at its head in the namespaces that were asked for. */
  readonly blobs: number
  /** Milliseconds that its head took to be told. */
  readonly delay: number
}

/**
 * Asks a DA node for its newest header and for what our namespaces hold there. Rejects with an error of a `DaErrorCode`,
 * `TIMEOUT`, or `INVALID_CONFIG` for an address that is none.
 */
export async function probeDa(
  { env }: { readonly env: Env },
  {
    address,
    authToken,
    namespaces,
  }: { readonly address: string; readonly authToken: string; readonly namespaces: readonly Uint8Array[] },
  outer?: AbortSignal,
): Promise<DaFound> {
  const client = createDaClient(
    { env, logger: noopLogger, metrics: noopMetrics },
    { address, authToken, requestTimeout: DA_PATIENCE },
  )
  await client.start()
  try {
    return await withTimeout(env, 2 * DA_PATIENCE, outer, `the DA node at ${address}`, async (signal) => {
      const begun = env.monotonic()
      const head = await client.head({ signal })
      const delay = env.monotonic() - begun
      // A DA network that is new has no block.
      const blobs = head.height < 1 ? [] : await client.getAll(head.height, namespaces, { signal })
      return { head: head.height, time: head.time, blobs: blobs.length, delay }
    })
  } finally {
    await client.stop()
  }
}
