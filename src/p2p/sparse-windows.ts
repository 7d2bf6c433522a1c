import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { EvolveError } from '../util/errors.ts'
import { facade } from './facade.ts'

type YamuxInit = NonNullable<Parameters<typeof yamux>[0]>

/** What is built upon of a stream, beyond its published interface. */
interface WindowedStream {
  sendWindowUpdate(): void
}

function isWindowed(stream: unknown): stream is WindowedStream {
  return typeof stream === 'object' && stream !== null && isFunction(stream, 'sendWindowUpdate')
}

function isFunction(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === 'function'
}

function numberOf(stream: object, name: string): number {
  const value: unknown = Reflect.get(stream, name)
  if (typeof value !== 'number') throw changed(`number ${name} of streams`)
  return value
}

function changed(what: string): EvolveError {
  return new EvolveError(
    'MUXER_LIBRARY_CHANGED',
    `@libp2p/yamux no longer has the ${what} that is built upon`,
  )
}

/**
 * The library tells the other side after every frame how much it may send again: a record to encrypt and a system
 * call for each side, and most streams of ours end long before their window does. As Go's, ours tell it when half of
 * the window is used up. The first call opens or acknowledges the stream, whatever was read.
 */
function tellAtHalf(stream: unknown): void {
  if (!isWindowed(stream)) throw changed('window updates')
  const tell = stream.sendWindowUpdate.bind(stream)
  let open = false
  stream.sendWindowUpdate = () => {
    if (open && numberOf(stream, 'recvWindowCapacity') * 2 > numberOf(stream, 'recvWindow')) return
    open = true
    tell()
  }
}

function methodOf(muxer: StreamMuxer, name: string): (...values: unknown[]) => unknown {
  const method: unknown = Reflect.get(muxer, name)
  if (typeof method !== 'function') throw changed(`method ${name}`)
  return (...values) => Reflect.apply(method, muxer, values)
}

function sparse<M extends StreamMuxer>(muxer: M): M {
  const create = methodOf(muxer, 'onCreateStream')
  const take = methodOf(muxer, 'onRemoteStream')
  // The library opens a stream in the turn after it was made here, and acknowledges one after it was taken.
  Reflect.set(muxer, 'onCreateStream', (...values: unknown[]) => {
    const stream = create(...values)
    tellAtHalf(stream)
    return stream
  })
  Reflect.set(muxer, 'onRemoteStream', (stream: unknown) => {
    tellAtHalf(stream)
    take(stream)
  })
  return muxer
}

/** libp2p's yamux, without window updates that nobody needs yet. */
export function sparseYamux(init: YamuxInit): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)()
    return facade(factory, {
      createStreamMuxer: (connection) => sparse(factory.createStreamMuxer(connection)),
    })
  }
}
