import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { decodeRequest, encodeResponseFrames, ResponseStatus } from '../../src/header/exchange/codec.ts'
import { createHost, type Host } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { encodeP2PData, encodeP2PSignedHeader } from '../../src/types/codec.ts'
import type { Data } from '../../src/types/data.ts'
import type { SignedHeader } from '../../src/types/header.ts'
import { exchangeProtocol, type SyncKind } from '../../src/types/names.ts'

/** One item of an answer, as bytes to be changed. */
export interface Answer {
  readonly kind: SyncKind
  readonly height: number
  readonly body: Uint8Array
}

/** What a lying peer does with honest answers: others, fewer, none, or never an end. */
export type Lie = (answers: readonly Answer[]) => readonly Answer[] | 'stall' | 'reset'

/** A peer over real sockets that answers exchange requests with lies. */
export interface LyingPeer {
  readonly host: Host
  /** Requests it has answered. */
  readonly answered: number
  stop(): Promise<void>
}

/** Starts a {@link LyingPeer} over a chain whose first height is 1. */
export async function startLyingPeer(
  chainId: string,
  blocks: readonly { readonly header: SignedHeader; readonly data: Data }[],
  lie: Lie,
): Promise<LyingPeer> {
  const host = createHost(
    { env: systemEnv, logger: noopLogger, metrics: noopMetrics },
    {
      nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
      chainId,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      peers: [],
      discovery: false,
    },
  )
  await host.start()
  let answered = 0
  const limits = { maxRequestBytes: 1024, readTimeout: 5_000, writeTimeout: 8_000, maxStreamsPerPeer: 64 }
  for (const kind of ['headerSync', 'dataSync'] as const) {
    await host.serve(exchangeProtocol(chainId, kind), limits, async function* (bytes, { signal }) {
      const request = decodeRequest(bytes)
      answered++
      const origin = Number(request.origin ?? 1n)
      const first = origin === 0 ? blocks.length : origin
      const answers = blocks.slice(first - 1, first - 1 + Number(request.amount)).map((block, index) => ({
        kind,
        height: first + index,
        body: kind === 'headerSync' ? encodeP2PSignedHeader(block.header) : encodeP2PData(block.data),
      }))
      const told = lie(answers)
      if (told === 'reset') throw new Error('reset')
      if (told === 'stall') {
        await new Promise<void>((resolve) =>
          signal.addEventListener('abort', () => resolve(), { once: true }),
        )
        return
      }
      yield encodeResponseFrames(
        told.map(({ body }) => body),
        ResponseStatus.Ok,
      )
    })
  }
  return {
    host,
    get answered() {
      return answered
    },
    stop: async () => await host.stop(),
  }
}
