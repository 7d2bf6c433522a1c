import type { Network, PeerId, RequestContext } from '../../src/core/network.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponseFrames,
  FrameReader,
  type HeaderRequest,
  type HeaderResponse,
  ResponseStatus,
} from '../../src/header/exchange/codec.ts'

/** What came back for a request, as the bytes stood on the wire. */
export interface RawAnswer {
  readonly responses: readonly HeaderResponse[]
  /** Bytes of each piece in which it came. */
  readonly pieces: readonly number[]
  /** Whether the answer ended between two frames. */
  readonly complete: boolean
}

/** Asks a peer with a request, or with any bytes in its place. */
export async function rawAsk(
  network: Network,
  peer: PeerId,
  protocol: string,
  request: HeaderRequest | Uint8Array,
  signal: AbortSignal = new AbortController().signal,
): Promise<RawAnswer> {
  const reader = new FrameReader(64 << 20)
  const responses: HeaderResponse[] = []
  const pieces: number[] = []
  const bytes = request instanceof Uint8Array ? request : encodeRequest(request)
  await network.request(peer, protocol, bytes, {
    signal,
    onData(piece) {
      pieces.push(piece.length)
      reader.push(piece, (frame) => void responses.push(decodeResponse(frame)))
    },
  })
  return { responses, pieces, complete: reader.atBoundary }
}

/** Answers of a scripted peer: any bytes, in any pieces. */
export type Script = (
  request: HeaderRequest,
  context: RequestContext,
) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Makes `network` answer as `script` says, whatever sense that makes. */
export async function serveScript(network: Network, protocol: string, script: Script): Promise<void> {
  await network.serve(
    protocol,
    { maxRequestBytes: 1024, readTimeout: 5_000, writeTimeout: 8_000, maxStreamsPerPeer: 64 },
    async function* answer(bytes, context) {
      yield* script(decodeRequest(bytes), context)
    },
  )
}

/** Frames of these bodies with status OK, as one piece. */
export function okFrames(bodies: readonly Uint8Array[]): Uint8Array {
  return encodeResponseFrames(bodies, ResponseStatus.Ok)
}

/** The frame that says NOT_FOUND. */
export const NOT_FOUND_FRAME: Uint8Array = encodeResponseFrames([new Uint8Array()], ResponseStatus.NotFound)

/** Never ends, until the one who asked goes away. */
export async function silence(context: RequestContext): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  context.signal.addEventListener('abort', () => reject(context.signal.reason), { once: true })
  return await promise
}
