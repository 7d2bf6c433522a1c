import type { Stream } from '@libp2p/interface'
import { afterEach, expect, test } from 'vitest'
import { dialFrom, type RawPeer, startRawPeer, testHosts } from '../../test/support/hosts.ts'
import type { ServeOptions } from '../core/network.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { eachPart, framed } from './streams.ts'

const PROTOCOL = '/p2p-test/windows/1'
const KIB = 1024
const MIB = 1024 * KIB
/** The protocol's first window. */
const WINDOW = 256 * KIB
const limits: ServeOptions = {
  maxRequestBytes: 4 * MIB,
  readTimeout: 20_000,
  writeTimeout: 20_000,
  maxStreamsPerPeer: 64,
}
const hosts = testHosts()
const raws: RawPeer[] = []
afterEach(async () => {
  await Promise.all(raws.splice(0).map(async (raw) => await raw.stop()))
  await hosts.stop()
})

/** A stream of a peer that has the library's own muxer, and how often it was told that it may send on. */
async function openStream(): Promise<{ readonly stream: Stream; readonly told: () => number }> {
  const host = await hosts.start()
  await host.serve(PROTOCOL, limits, async function* (request) {
    yield utf8(`${request.length}`)
  })
  const raw = await startRawPeer('tls')
  raws.push(raw)
  const connection = await dialFrom(raw, host)
  const stream = await connection.newStream(PROTOCOL)
  const original: unknown = Reflect.get(stream, 'handleWindowUpdate')
  if (typeof original !== 'function') throw new Error('the stream is not of yamux')
  let told = 0
  Reflect.set(stream, 'handleWindowUpdate', (frame: unknown) => {
    told++
    Reflect.apply(original, stream, [frame])
  })
  return { stream, told: () => told }
}

/** Sends a request in pieces, each when the one before has left, and reads the answer. */
async function send(stream: Stream, bytes: number, piece: number): Promise<string> {
  const answer: Uint8Array[] = []
  const ended = new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => eachPart(data, (part) => void answer.push(part)))
    stream.addEventListener('close', ({ error }) => (error === undefined ? resolve() : reject(error)))
  })
  const request = framed(new Uint8Array(bytes))
  for (let at = 0; at < request.length; at += piece) {
    if (!stream.send(request.subarray(at, at + piece))) await stream.onDrain()
  }
  await stream.close()
  await ended
  return Buffer.from(concatBytes(...answer)).toString()
}

test('a peer that sends less than half a window is told nothing but that its stream is open', async () => {
  const { stream, told } = await openStream()
  expect(await send(stream, WINDOW / 4, KIB)).toBe(`${WINDOW / 4}`)
  expect(told()).toBeLessThanOrEqual(2)
})

test('a peer that sends many windows is told often enough to send them all, and not for every piece', async () => {
  const { stream, told } = await openStream()
  const bytes = 12 * WINDOW
  expect(await send(stream, bytes, 4 * KIB)).toBe(`${bytes}`)
  expect(told()).toBeGreaterThanOrEqual(2)
  expect(told()).toBeLessThanOrEqual(2 + (2 * bytes) / WINDOW)
})
