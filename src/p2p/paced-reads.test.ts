import { multiaddr } from '@multiformats/multiaddr'
import type { Stream } from '@libp2p/interface'
import { afterEach, describe, expect, test } from 'vitest'
import { type RawPeer, sendAtOnce, startRawPeer, until } from '../../test/support/hosts.ts'
import { deferred } from '../util/async.ts'
import { pacedReads } from './paced-reads.ts'

const PROTOCOL = '/p2p-test/paced/1'
const LIMIT = 64 * 1024
const peers: RawPeer[] = []
afterEach(async () => await Promise.all(peers.splice(0).map(async (peer) => await peer.stop())))

/** Two ends of a stream: what is sent on one is read, paced, on the other. */
async function streamPair(): Promise<{ sender: Stream; receiver: Stream; reads: AsyncIterator<number> }> {
  const [from, to] = [await startRawPeer(), await startRawPeer()]
  peers.push(from, to)
  const arrived = deferred<{ receiver: Stream; reads: AsyncIterator<number> }>()
  await to.handle(PROTOCOL, (receiver) => {
    async function* lengths() {
      for await (const part of pacedReads(receiver, LIMIT)) yield part.byteLength
    }
    const reads = lengths()
    arrived.resolve({ receiver, reads })
  })
  const address = to.getMultiaddrs()[0] ?? multiaddr('/ip4/127.0.0.1')
  const sender = await from.dialProtocol(address, PROTOCOL)
  return { sender, ...(await arrived.promise) }
}

async function drain(reads: AsyncIterator<number>): Promise<number> {
  let total = 0
  for (let next = await reads.next(); next.done !== true; next = await reads.next()) total += next.value
  return total
}

describe('a paced reader', () => {
  test('lets its peer wait while it does not read, and then gets everything', async () => {
    const { sender, receiver, reads } = await streamPair()
    const size = 8 * 1024 * 1024
    const first = reads.next()
    sender.send(new Uint8Array(size))
    const { value = 0 } = await first
    await until(() => receiver.readStatus === 'paused')
    expect(sender.writeBufferLength).toBeGreaterThan(size / 2)
    const closed = sender.close()
    expect(value + (await drain(reads))).toBe(size)
    await closed
  })

  test('gets what came with the negotiation, together with the end of the stream', async () => {
    const [from, to] = [await startRawPeer(), await startRawPeer()]
    peers.push(from, to)
    const total = deferred<number>()
    await to.handle(PROTOCOL, (receiver) => {
      async function* lengths() {
        for await (const part of pacedReads(receiver, LIMIT)) yield part.byteLength
      }
      drain(lengths()).then(total.resolve, total.reject)
    })
    const connection = await from.dial(to.getMultiaddrs())
    await until(() => to.getConnections().length > 0)
    await sendAtOnce(connection, PROTOCOL, new Uint8Array(1000))
    expect(await total.promise).toBe(1000)
  })

  test('ends with the stream, and fails when it is reset', async () => {
    const ended = await streamPair()
    ended.sender.send(new Uint8Array(10))
    await ended.sender.close()
    expect(await drain(ended.reads)).toBe(10)

    const broken = await streamPair()
    broken.sender.send(new Uint8Array(10))
    expect(await broken.reads.next()).toEqual({ done: false, value: 10 })
    broken.sender.abort(new Error('gone'))
    await expect(broken.reads.next()).rejects.toThrow('reset')
  })
})
