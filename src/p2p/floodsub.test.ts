import { randomBytes } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, PrivateKey, Stream } from '@libp2p/interface'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connect,
  dialFrom,
  type RawPeer,
  startRawPeer,
  testHosts,
  until,
  untilPeer,
} from '../../test/support/hosts.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { GossipMessage, GossipTopic, GossipVerdict } from '../core/network.ts'
import { gossipTopic } from '../types/names.ts'
import { deferred } from '../util/async.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import { MAX_MESSAGE_BYTES } from './gossip-service.ts'
import type { Host } from './host.node.ts'
import { framed } from './streams.ts'

const TOPIC = gossipTopic('p2p-test', 'headerSync')
const FLOODSUB = '/floodsub/1.0.0'
const hosts = testHosts()
const rawPeers: RawPeer[] = []
afterEach(async () => {
  await Promise.all(rawPeers.splice(0).map(async (raw) => await raw.stop()))
  await hosts.stop()
})

/** What a peer that knows FloodSub only has been told, and its means to speak. */
interface FloodSubPeer {
  readonly raw: RawPeer
  readonly key: PrivateKey
  readonly connection: Connection
  readonly outbound: Stream
  readonly subscriptions: Uint8Array[]
  /** Payloads of the messages it was sent. */
  readonly payloads: Uint8Array[]
}

function varintAt(bytes: Uint8Array): [value: number, length: number] {
  let value = 0
  for (let offset = 0; offset < bytes.length; offset++) {
    const byte = bytes[offset] ?? 0
    value += (byte & 0x7f) * 128 ** offset
    if (byte < 0x80) return [value, offset + 1]
  }
  return [0, 0]
}

/** Reads one bytes field of a message. */
function fieldOf(bytes: Uint8Array, number: number): Uint8Array[] {
  const reader = new WireReader(bytes)
  const found: Uint8Array[] = []
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === number) found.push(reader.bytes(field, `field ${number}`))
    else reader.skip(field)
  }
  return found
}

function subscription(topic: string): Uint8Array {
  const inner = new WireWriter().presentUint(1, 1).presentBytes(2, utf8(topic)).finish()
  return new WireWriter().presentBytes(1, inner).finish()
}

/** An RPC with one message, signed as StrictSign wants it. */
async function publication(
  { raw, key }: FloodSubPeer,
  data: Uint8Array,
  { sequence, spoil = false, topic = TOPIC }: { sequence: number; spoil?: boolean; topic?: string },
): Promise<Uint8Array> {
  const message = new WireWriter()
    .presentBytes(1, raw.peerId.toMultihash().bytes)
    .presentBytes(2, data)
    .presentBytes(3, Uint8Array.of(0, 0, 0, 0, 0, 0, sequence >> 8, sequence))
    .presentBytes(4, utf8(topic))
    .finish()
  const signature = new Uint8Array(await key.sign(concatBytes(utf8('libp2p-pubsub:'), message)))
  if (spoil) signature[0] = (signature[0] ?? 0) ^ 1
  const signed = concatBytes(message, new WireWriter().presentBytes(5, signature).finish())
  return new WireWriter().presentBytes(2, signed).finish()
}

/** A raw peer, connected to `host`, on FloodSub in both directions. */
async function floodSubPeer(host: Host): Promise<FloodSubPeer> {
  const key = await generateKeyPair('Ed25519')
  const raw = await startRawPeer('tls', key)
  rawPeers.push(raw)
  const [subscriptions, payloads]: [Uint8Array[], Uint8Array[]] = [[], []]
  await raw.handle(FLOODSUB, (stream) => {
    let held: Uint8Array = new Uint8Array(0)
    stream.addEventListener('message', ({ data }) => {
      held = concatBytes(held, data instanceof Uint8Array ? data : data.subarray())
      for (;;) {
        const [length, prefix] = varintAt(held)
        if (prefix === 0 || held.length < prefix + length) return
        const rpc = held.subarray(prefix, prefix + length)
        subscriptions.push(...fieldOf(rpc, 1))
        for (const message of fieldOf(rpc, 2)) payloads.push(...fieldOf(message, 2))
        held = held.subarray(prefix + length)
      }
    })
  })
  const connection = await dialFrom(raw, host)
  const outbound = await connection.newStream(FLOODSUB)
  return { raw, key, connection, outbound, subscriptions, payloads }
}

async function joined(host: Host): Promise<{ topic: GossipTopic; heard: GossipMessage[] }> {
  const heard: GossipMessage[] = []
  const topic = await host.join(TOPIC, async (message) => {
    heard.push(message)
    return 'accept'
  })
  return { topic, heard }
}

describe('a peer that knows FloodSub only', () => {
  test('is told our topics, hears what we publish and is heard', async () => {
    const host = await hosts.start()
    const { topic, heard } = await joined(host)
    const peer = await floodSubPeer(host)
    await until(() => peer.subscriptions.length === 1)
    expect(fieldOf(peer.subscriptions[0] ?? new Uint8Array(0), 2)).toEqual([utf8(TOPIC)])
    peer.outbound.send(framed(subscription(TOPIC)))
    await until(async () => (await topic.publish(utf8('from us'))) === 1)
    await until(() => peer.payloads.length > 0)
    expect(peer.payloads[0]).toEqual(utf8('from us'))
    peer.outbound.send(framed(await publication(peer, utf8('from it'), { sequence: 1 })))
    await until(() => heard.length === 1)
    const id = peer.raw.peerId.toString()
    expect(heard).toEqual([{ data: utf8('from it'), from: id, sender: id }])
  })

  test('is sent messages of five megabytes, and ours come from it', async () => {
    const host = await hosts.start()
    const { topic, heard } = await joined(host)
    const peer = await floodSubPeer(host)
    const large = new Uint8Array(randomBytes(MAX_MESSAGE_BYTES))
    await until(() => peer.subscriptions.length === 1)
    peer.outbound.send(framed(subscription(TOPIC)))
    peer.outbound.send(framed(await publication(peer, large, { sequence: 1 })))
    await until(() => heard.length === 1)
    expect(Buffer.compare(heard[0]?.data ?? new Uint8Array(0), large)).toBe(0)
    expect(await topic.publish(large)).toBe(1)
    await until(() => peer.payloads.length === 1)
    expect(Buffer.compare(peer.payloads[0] ?? new Uint8Array(0), large)).toBe(0)
  })

  test('has what it publishes relayed to peers that know GossipSub', async () => {
    const [middle, far] = [await hosts.start(), await hosts.start()]
    await joined(middle)
    const { heard } = await joined(far)
    await connect(far, middle)
    const peer = await floodSubPeer(middle)
    let sequence = 0
    await until(async () => {
      peer.outbound.send(framed(await publication(peer, utf8('through'), { sequence: ++sequence % 256 })))
      return heard.length > 0
    })
    expect(heard[0]).toEqual({ data: utf8('through'), from: peer.raw.peerId.toString(), sender: middle.id })
  })

  test('is not believed about authors, nor heard on other topics; replays are dropped', async () => {
    const host = await hosts.start()
    const { heard } = await joined(host)
    const peer = await floodSubPeer(host)
    const good = await publication(peer, utf8('good'), { sequence: 2 })
    for (const rpc of [
      await publication(peer, utf8('bad'), { sequence: 1, spoil: true }),
      await publication(peer, utf8('elsewhere'), { sequence: 3, topic: '/elsewhere' }),
      good,
      good,
      await publication(peer, utf8('last'), { sequence: 4 }),
    ])
      peer.outbound.send(framed(rpc))
    await until(() => heard.length === 2)
    expect(heard.map(({ data }) => Buffer.from(data).toString())).toEqual(['good', 'last'])
  })

  test('is not heard with messages of more than five megabytes', async () => {
    const host = await hosts.start()
    const { heard } = await joined(host)
    const peer = await floodSubPeer(host)
    for (const [sequence, size] of [
      [1, MAX_MESSAGE_BYTES + 1],
      [2, 10],
    ] as const)
      peer.outbound.send(framed(await publication(peer, new Uint8Array(size), { sequence })))
    await until(() => heard.length > 0)
    expect(heard.map(({ data }) => data.length)).toEqual([10])
  })

  test('has a bounded number of messages under judgement, whoever else is heard meanwhile', async () => {
    const host = await hosts.start()
    const waiting = deferred<GossipVerdict>()
    const judged: string[] = []
    await host.join(TOPIC, async ({ sender }) => {
      judged.push(sender)
      return await waiting.promise
    })
    const [greedy, modest] = [await floodSubPeer(host), await floodSubPeer(host)]
    const ids = [greedy.raw.peerId.toString(), modest.raw.peerId.toString()]
    for (let sequence = 0; sequence < 300; sequence++)
      greedy.outbound.send(framed(await publication(greedy, Uint8Array.of(1), { sequence })))
    await until(() => judged.length >= 256)
    modest.outbound.send(framed(await publication(modest, Uint8Array.of(2), { sequence: 1 })))
    await until(() => judged.includes(ids[1] ?? ''))
    expect(ids.map((id) => judged.filter((sender) => sender === id).length)).toEqual([256, 1])
    waiting.resolve('ignore')
  })

  test('that sends nonsense, or a frame over the limit, hurts nobody else', async () => {
    const host = await hosts.start()
    const { heard } = await joined(host)
    const [nonsense, oversize, honest] = [
      await floodSubPeer(host),
      await floodSubPeer(host),
      await floodSubPeer(host),
    ]
    nonsense.outbound.send(framed(Uint8Array.of(0xff, 0xff, 0xff)))
    oversize.outbound.send(new WireWriter().varint(20 * 1024 * 1024).finish())
    nonsense.outbound.send(framed(await publication(nonsense, utf8('sane'), { sequence: 1 })))
    honest.outbound.send(framed(await publication(honest, utf8('honest'), { sequence: 1 })))
    await until(() => heard.length === 2)
    expect(new Set(heard.map(({ data }) => Buffer.from(data).toString()))).toEqual(
      new Set(['sane', 'honest']),
    )
  })

  test('that stops taking gossip is let go', async () => {
    const virtual = createVirtualEnv()
    const host = await hosts.start({}, { env: virtual.env })
    const { topic } = await joined(host)
    const peer = await floodSubPeer(host)
    await until(() => peer.subscriptions.length === 1)
    peer.outbound.send(framed(subscription(TOPIC)))
    await until(async () => (await topic.publish(utf8('x'))) === 1)
    for (const stream of peer.connection.streams)
      if (stream.protocol === FLOODSUB && stream.direction === 'inbound') stream.abort(new Error('no more'))
    await until(async () => (await topic.publish(utf8('x'))) === 0)
    await virtual.advance(1_000)
    await untilPeer(host, peer.raw.peerId.toString(), false)
    expect(host.connections()).toEqual([])
  })
})
