import { createHash, randomBytes } from 'node:crypto'
import { peerIdFromString } from '@libp2p/peer-id'
import { afterEach, describe, expect, test } from 'vitest'
import { connect, testHosts, until } from '../../test/support/hosts.ts'
import type { GossipMessage, GossipTopic, GossipVerdict } from '../core/network.ts'
import { gossipTopic } from '../types/names.ts'
import { deferred } from '../util/async.ts'
import { toHex, utf8 } from '../util/bytes.ts'
import { isEvolveError } from '../util/errors.ts'
import { MAX_MESSAGE_BYTES, messageId } from './gossip-service.ts'
import type { Host } from './host.node.ts'

const TOPIC = gossipTopic('p2p-test', 'headerSync')
const OTHER_TOPIC = gossipTopic('p2p-test', 'dataSync')
const PROBE = utf8('probe')
const hosts = testHosts()
afterEach(async () => await hosts.stop())

const isProbe = (data: Uint8Array): boolean => Buffer.compare(data, PROBE) === 0

/** A host on the topic that keeps what it hears, probes apart. */
interface Listener {
  readonly host: Host
  readonly topic: GossipTopic
  readonly heard: GossipMessage[]
  readonly probed: Set<string>
  /** Resolves when `count` messages were heard. */
  hears(count: number): Promise<void>
}

async function listener(
  judge: (message: GossipMessage) => GossipVerdict | Promise<GossipVerdict> = () => 'accept',
): Promise<Listener> {
  const host = await hosts.start()
  const heard: GossipMessage[] = []
  const probed = new Set<string>()
  const topic = await host.join(TOPIC, async (message) => {
    if (isProbe(message.data)) {
      probed.add(message.from)
      return 'accept'
    }
    heard.push(message)
    return await judge(message)
  })
  return { host, topic, heard, probed, hears: async (count) => await until(() => heard.length >= count) }
}

/** Waits until gossip of each reaches all others. */
async function meshed(...listeners: readonly Listener[]): Promise<void> {
  const all = listeners.map(({ host }) => host.id)
  await until(async () => {
    for (const { topic } of listeners) await topic.publish(PROBE)
    return listeners.every(({ host, probed }) => all.every((id) => id === host.id || probed.has(id)))
  })
}

const marker = utf8('marker')

describe('gossip', () => {
  test('of what everybody accepts is relayed, once, with its author and its sender', async () => {
    const [a, b, c] = [await listener(), await listener(), await listener()]
    await connect(a.host, b.host)
    await connect(c.host, b.host)
    await meshed(a, b, c)
    expect(await a.topic.publish(utf8('hello'))).toBe(1)
    await c.hears(1)
    await c.topic.publish(marker)
    await a.hears(1)
    expect(b.heard.map(({ from, sender }) => [from, sender])).toEqual([
      [a.host.id, a.host.id],
      [c.host.id, c.host.id],
    ])
    expect(c.heard).toEqual([{ data: utf8('hello'), from: a.host.id, sender: b.host.id }])
    expect(a.heard).toEqual([{ data: marker, from: c.host.id, sender: b.host.id }])
  })

  test.each(['ignore', 'reject'] as const)('that is judged "%s" goes no further', async (verdict) => {
    const [a, c] = [await listener(), await listener()]
    const b = await listener(({ data }) => (Buffer.compare(data, marker) === 0 ? 'accept' : verdict))
    await connect(a.host, b.host)
    await connect(c.host, b.host)
    await meshed(a, b, c)
    for (let index = 0; index < 5; index++) await a.topic.publish(Uint8Array.of(index))
    await a.topic.publish(marker)
    await c.hears(1)
    expect(c.heard).toEqual([{ data: marker, from: a.host.id, sender: b.host.id }])
    expect(b.heard).toHaveLength(6)
    expect(a.host.peers()).toEqual([b.host.id])
  })

  test('waits for its verdict before it is relayed', async () => {
    const verdict = deferred<GossipVerdict>()
    const [a, c] = [await listener(), await listener()]
    const b = await listener(async () => await verdict.promise)
    await connect(a.host, b.host)
    await connect(c.host, b.host)
    await meshed(a, b, c)
    await a.topic.publish(utf8('held'))
    await b.hears(1)
    expect(c.heard).toEqual([])
    verdict.resolve('accept')
    await c.hears(1)
  })

  test('survives a validator that throws', async () => {
    let thrown = 0
    const b = await listener(() => {
      if (thrown++ === 0) throw new Error('broken')
      return 'accept'
    })
    const a = await listener()
    await connect(a.host, b.host)
    await meshed(a, b)
    await a.topic.publish(utf8('one'))
    await a.topic.publish(utf8('two'))
    await b.hears(2)
    expect(thrown).toBe(2)
  })

  test('carries five megabytes both ways, and over a hop', async () => {
    const [a, b, c] = [await listener(), await listener(), await listener()]
    await connect(a.host, b.host)
    await connect(c.host, b.host)
    await meshed(a, b, c)
    const large = new Uint8Array(randomBytes(MAX_MESSAGE_BYTES))
    const digest = (bytes: Uint8Array | undefined) =>
      createHash('sha256')
        .update(bytes ?? '')
        .digest('hex')
    await a.topic.publish(large)
    await c.hears(1)
    expect(digest(c.heard[0]?.data)).toBe(digest(large))
    await c.topic.publish(large)
    await a.hears(1)
    expect(digest(a.heard[0]?.data)).toBe(digest(large))
    const refused = a.topic.publish(new Uint8Array(MAX_MESSAGE_BYTES + 1))
    await expect(refused).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
  })

  test('without anybody there reaches nobody, without error', async () => {
    const a = await listener()
    expect(await a.topic.publish(utf8('alone'))).toBe(0)
  })

  test('of a topic that was left is no longer heard; it may be joined again', async () => {
    const [a, b] = [await listener(), await listener()]
    await connect(a.host, b.host)
    await meshed(a, b)
    await b.topic.leave()
    await b.topic.leave()
    await until(async () => (await a.topic.publish(utf8('unheard'))) === 0)
    const before = b.heard.length
    const again: GossipMessage[] = []
    await b.host.join(TOPIC, async (message) => {
      again.push(message)
      return 'accept'
    })
    await until(async () => (await a.topic.publish(utf8('heard'))) === 1 && again.length > 0)
    expect(b.heard).toHaveLength(before)
  })

  test('joins the topics of its chain only, each once', async () => {
    const { host } = await listener()
    const judge = async (): Promise<GossipVerdict> => 'accept'
    const code = async (joined: Promise<unknown>) => {
      const error: unknown = await joined.then(
        () => undefined,
        (reason: unknown) => reason,
      )
      return isEvolveError(error) ? error.code : error
    }
    expect(await code(host.join(TOPIC, judge))).toBe('TOPIC_JOINED')
    expect(await code(host.join('/another', judge))).toBe('TOPIC_NOT_ALLOWED')
    expect(await code(host.join(OTHER_TOPIC, judge))).toBeUndefined()
  })
})

test('the id of a message is its author and its number, as the Go nodes make it', () => {
  const from = peerIdFromString('12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp')
  const publicKey = from.publicKey
  if (publicKey === undefined) throw new Error('an ed25519 id holds its key')
  const id = messageId({
    type: 'signed',
    from,
    topic: TOPIC,
    data: new Uint8Array(0),
    sequenceNumber: 0x0102030405060708n,
    signature: new Uint8Array(64),
    key: publicKey,
  })
  expect(toHex(id)).toBe(`${toHex(from.toMultihash().bytes)}0102030405060708`)
  expect(id).toHaveLength(46)
})
