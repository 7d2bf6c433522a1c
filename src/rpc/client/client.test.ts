import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { afterEach, describe, expect, test } from 'vitest'
import { createServedChain, type ServedChain } from '../../../test/support/served-chain.ts'
import { sha256 } from '#crypto'
import { headerHash } from '../../types/header.ts'
import { ChainService, type SubscribeBlocksResponseSchema } from '../gen/evolve/v1/chain_pb.ts'
import { toHex, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { createClient } from './index.ts'

const undo: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one()
})

async function served(
  options: Parameters<typeof createServedChain>[0],
  blocks = options.count,
): Promise<ServedChain> {
  const chain = await createServedChain(options)
  await chain.grow(blocks)
  await chain.start()
  undo.push(async () => await chain.stop())
  return chain
}

describe('calls', () => {
  test('blocks by height, hash and as the latest are those of the store', async () => {
    const chain = await served({ count: 5 })
    const client = createClient(chain.url)
    const stored = await chain.node.blocks.block(5)
    if (stored === undefined) throw new Error('there is a block 5')
    const block = await client.block(5)
    expect(stored.header).toMatchObject(block.header)
    expect(block.data.txs).toEqual(stored.data.txs)
    expect(block.summary.hash).toEqual(headerHash(stored.header.header))
    expect(await client.block('latest')).toEqual(block)
    expect(await client.block(block.summary.hash)).toEqual(block)
    expect(await client.block(`0x${toHex(block.summary.hash)}`)).toEqual(block)
    expect(block.summary.previousHash).toEqual((await client.block(4)).summary.hash)
    expect(block.summary.appHash).toEqual((await client.block(4)).summary.stateRoot)
  })

  test('what is not there is said with a stable code', async () => {
    const client = createClient((await served({ count: 3 }, 2)).url)
    await expect(client.block(3)).rejects.toMatchObject({ code: 'BLOCK_NOT_FOUND', verdict: undefined })
    await expect(client.block(new Uint8Array(32))).rejects.toMatchObject({ code: 'BLOCK_NOT_FOUND' })
    await expect(client.transaction('00'.repeat(32))).rejects.toMatchObject({ code: 'TX_INDEX_OFF' })
    await expect(client.block(2 ** 53)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(client.block('abc')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  test('what was pruned is said, with the first height that is here', async () => {
    const chain = await served({
      count: 5,
      status: { earliestHeight: 4 },
    })
    const client = createClient(chain.url)
    const subscription = client.subscribeBlocks({ from: 2 })
    await expect(subscription.next()).rejects.toMatchObject({ code: 'BLOCK_PRUNED', data: { nextHeight: 4 } })
    expect((await client.blocks()).map(({ height }) => height)).toEqual([5, 4])
  })

  test('lists go down from a height, and end where the chain begins', async () => {
    const client = createClient((await served({ count: 7, initialHeight: 3 })).url)
    const heights = async (options: { from?: number; limit?: number }) =>
      (await client.blocks(options)).map(({ height }) => height)
    expect(await heights({})).toEqual([9, 8, 7, 6, 5, 4, 3])
    expect(await heights({ from: 7, limit: 2 })).toEqual([7, 6])
    expect(await heights({ from: 4 })).toEqual([4, 3])
    expect(await heights({ from: 2 })).toEqual([])
    expect(await heights({ from: 100, limit: 1 })).toEqual([9])
  })

  test('transactions come in pages, large ones cut', async () => {
    const txs = Array.from({ length: 1_200 }, (_, index) => utf8(`tx ${index}`))
    txs[3] = new Uint8Array(70_000)
    const client = createClient((await served({ count: 1, txsAt: () => txs })).url)
    const first = await client.transactions(1)
    expect(first.total).toBe(1_200)
    expect(first.transactions).toHaveLength(100)
    expect(first.transactions[5]).toEqual({
      hash: sha256(utf8('tx 5')),
      height: 1,
      index: 5,
      data: utf8('tx 5'),
      size: 4,
    })
    expect(first.transactions[3]).toMatchObject({ size: 70_000, hash: sha256(new Uint8Array(70_000)) })
    expect(first.transactions[3]?.data).toHaveLength(65_536)
    expect((await client.transactions(1, { limit: 5_000 })).transactions).toHaveLength(1_000)
    const last = await client.transactions(1, { offset: 1_199, limit: 10 })
    expect(last.transactions.map(({ index }) => index)).toEqual([1_199])
    expect((await client.transactions(1, { offset: 1_200 })).transactions).toEqual([])
  })

  test('a page holds no more than 4 MiB', async () => {
    const txs = Array.from({ length: 100 }, () => new Uint8Array(60_000))
    const client = createClient((await served({ count: 1, txsAt: () => txs })).url)
    const { transactions, total } = await client.transactions(1)
    expect(total).toBe(100)
    expect(transactions).toHaveLength(Math.floor((4 << 20) / 60_000))
  })

  test('a transaction is found by its hash, and proven to be it', async () => {
    const places = new Map([
      [toHex(sha256(utf8('key2-1=value2'))), { height: 2, index: 1 }],
      ['ab'.repeat(32), { height: 2, index: 0 }],
    ])
    const view = { transactions: { height: 2, find: async (hash: Uint8Array) => places.get(toHex(hash)) } }
    const client = createClient((await served({ count: 2, view })).url)
    const { transaction, block } = await client.transaction(sha256(utf8('key2-1=value2')))
    expect(transaction).toMatchObject({ height: 2, index: 1, data: utf8('key2-1=value2') })
    expect(block.height).toBe(2)
    for (const hash of ['ab'.repeat(32), 'cd'.repeat(32)])
      await expect(client.transaction(hash)).rejects.toMatchObject({ code: 'TX_NOT_FOUND' })
  })

  test.each(['TX_REFUSED', 'TX_NO_ROOM', 'TX_NOT_ACCEPTED', 'NO_AGGREGATOR'])(
    'a transaction that is not taken is told as %s, and sent once',
    async (code) => {
      const sent: Uint8Array[] = []
      const submit = async (tx: Uint8Array): Promise<void> => {
        sent.push(tx)
        throw new EvolveError(code, 'not taken')
      }
      const client = createClient((await served({ count: 1, view: { submit } })).url)
      const error = await client.submit('name=Ada').catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code, message: 'not taken' })
      expect(sent).toEqual([utf8('name=Ada')])
    },
  )

  test('a stream of blocks brings each of the range, and fails where there is none', async () => {
    const client = createClient((await served({ count: 40 })).url)
    const heights: number[] = []
    for await (const { summary } of client.streamBlocks()) heights.push(summary.height)
    expect(heights).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
    const beyond = client.streamBlocks({ from: 40, to: 41 })
    expect((await beyond.next()).value?.summary.height).toBe(40)
    await expect(beyond.next()).rejects.toMatchObject({ code: 'BLOCK_NOT_FOUND' })
  })

  test('nobody there, nobody who answers, and no node', async () => {
    await expect(createClient('127.0.0.1:1', { retries: 0 }).status()).rejects.toMatchObject({
      code: 'RPC_UNREACHABLE',
      verdict: 'retry',
    })
    const silent = createServer((request, response) => {
      if (request.headers['content-type'] === undefined) response.end()
    })
    const page = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<p>hello</p>')
    })
    for (const server of [silent, page]) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      undo.push(async () => {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      })
    }
    const urlOf = (server: typeof silent): string => {
      const address: AddressInfo | string | null = server.address()
      return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
    }
    await expect(createClient(urlOf(silent)).status({ timeout: 50 })).rejects.toMatchObject({
      code: 'RPC_TIMEOUT',
    })
    const reason = new Error('enough')
    const controller = new AbortController()
    const call = createClient(urlOf(silent)).status({ signal: controller.signal })
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
    await expect(createClient(urlOf(page)).status()).rejects.toMatchObject({ code: 'RPC_BAD_RESPONSE' })
    expect(() => createClient('ftp://node')).toThrow(/must be as http/)
  })
})

describe('subscriptions', () => {
  async function take<T>(iterator: AsyncIterator<T>, count: number): Promise<T[]> {
    const values: T[] = []
    while (values.length < count) {
      const { done, value } = await iterator.next()
      if (done === true) throw new Error(`it ended after ${values.length}`)
      values.push(value)
    }
    return values
  }

  test('blocks of the past and new ones, one by one and in groups, as summaries and whole', async () => {
    const chain = await served({ count: 60 }, 20)
    const client = createClient(chain.url)
    const summaries = client.subscribeBlocks({ from: 5 })
    const wholes = client.subscribeBlocks({ from: 5, full: true })
    const [first] = await take(summaries, 1)
    expect(first).toEqual((await client.block(5)).summary)
    await chain.grow(1)
    await chain.grow(30)
    await chain.grow(9)
    const heights = Array.from({ length: 56 }, (_, index) => index + 5)
    expect([5, ...(await take(summaries, 55)).map(({ height }) => height)]).toEqual(heights)
    const blocks = await take(wholes, 56)
    expect(blocks.map(({ summary }) => summary.height)).toEqual(heights)
    expect(blocks[7]).toEqual(await client.block(12))
    await summaries.return?.()
    await wholes.return?.()
  })

  test('finality goes height by height although only the highest is told', async () => {
    const chain = await served({ count: 10 })
    await chain.finalize(3)
    const finality = createClient(chain.url).subscribeFinality({ from: 2 })
    const [first] = await take(finality, 1)
    expect(first).toMatchObject({ height: 2, headerDaHeight: 1_002, dataDaHeight: 1_003 })
    await chain.finalize(9)
    expect((await take(finality, 7)).map(({ height }) => height)).toEqual([3, 4, 5, 6, 7, 8, 9])
    await finality.return?.()
  })

  test('the status comes at once, and when it has changed', async () => {
    const chain = await served({ count: 3 }, 1)
    const statuses = createClient(chain.url).subscribeStatus({ interval: 100 })
    expect((await take(statuses, 1))[0]?.height).toBe(1)
    const next = statuses.next()
    await chain.grow(1)
    expect((await next).value?.height).toBe(2)
    await statuses.return?.()
  })

  test('it goes on where it was when the server is stopped and started', async () => {
    const chain = await served({ count: 30 }, 10)
    const client = createClient(chain.url)
    const interruptions: string[] = []
    const begun = Promise.withResolvers<void>()
    const options = {
      onInterruption({ error }: { readonly error: Error }) {
        interruptions.push(error instanceof EvolveError ? error.code : error.name)
        begun.resolve()
      },
    }
    const old = client.subscribeBlocks({ from: 8, ...options })
    await take(old, 3)
    const next = old.next()
    await chain.stop()
    await begun.promise
    await chain.grow(5)
    await chain.start()
    expect((await next).value?.height).toBe(11)
    expect((await take(old, 4)).map(({ height }) => height)).toEqual([12, 13, 14, 15])
    expect(interruptions[0]).toBe('NODE_STOPPING')
    await old.return?.()
  })

  /** A server that answers subscriptions one after another as it is told, and the heights they began with. */
  async function scripted(
    ...answers: readonly ((
      from: bigint,
    ) => AsyncIterable<MessageInitShape<typeof SubscribeBlocksResponseSchema>>)[]
  ): Promise<{ readonly url: string; readonly asked: bigint[] }> {
    const asked: bigint[] = []
    const server = createServer(
      connectNodeAdapter({
        routes: (router) =>
          void router.service(ChainService, {
            subscribeBlocks({ from }) {
              asked.push(from)
              const answer = answers[asked.length - 1]
              if (answer === undefined) throw new ConnectError('enough', Code.InvalidArgument)
              return answer(from)
            },
          }),
      }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    undo.push(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
    const address: AddressInfo | string | null = server.address()
    return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`, asked }
  }

  test('who asked for the next new one goes on with it, also when none had come before the connection was lost', async () => {
    const { url, asked } = await scripted(
      async function* () {
        yield { heartbeat: { nextHeight: 7n } }
        throw new ConnectError('gone', Code.Unavailable)
      },
      async function* (from) {
        yield { heartbeat: { nextHeight: from } }
        yield { summary: { height: 7n } }
        throw new ConnectError('gone', Code.Unavailable)
      },
      async function* (from) {
        yield { summary: { height: from } }
      },
    )
    const iterator = createClient(url).subscribeBlocks()
    expect((await take(iterator, 2)).map(({ height }) => height)).toEqual([7, 8])
    expect(asked).toEqual([0n, 7n, 8n])
    await iterator.return?.()
  })

  test.each([
    ['twice', 7n],
    ['with a gap', 9n],
    ['beyond 2^53', 2n ** 60n],
  ])('a node that tells a height %s is not believed', async (_, second) => {
    const { url } = await scripted(async function* () {
      yield { summary: { height: 7n } }
      yield { summary: { height: second } }
    })
    const iterator = createClient(url).subscribeBlocks({ from: 7 })
    await take(iterator, 1)
    await expect(iterator.next()).rejects.toMatchObject({ code: 'RPC_BAD_RESPONSE' })
  })

  test('aborting ends the loop without an error, also while it waits for a node', async () => {
    const chain = await served({ count: 2 })
    for (const url of [chain.url, 'http://127.0.0.1:1']) {
      const controller = new AbortController()
      const iterator = createClient(url).subscribeBlocks({ signal: controller.signal })
      const next = iterator.next()
      controller.abort()
      expect(await next).toEqual({ done: true, value: undefined })
      expect(await iterator.next()).toEqual({ done: true, value: undefined })
    }
  })

  test('without reconnecting it ends with what happened', async () => {
    const chain = await served({ count: 2 })
    const iterator = createClient(chain.url).subscribeBlocks({ from: 1, reconnect: false })
    await take(iterator, 2)
    const [end] = await Promise.all([iterator.next().catch((error: unknown) => error), chain.stop()])
    expect(end).toMatchObject({ code: 'NODE_STOPPING', verdict: 'retry' })
    await expect(
      createClient('127.0.0.1:1').subscribeBlocks({ reconnect: false }).next(),
    ).rejects.toMatchObject({ code: 'RPC_UNREACHABLE' })
  })

  test('one too many is turned away, and gets in when another leaves', async () => {
    const chain = await served({ count: 2, rpc: { maxSubscribers: 2 } })
    const client = createClient(chain.url)
    const [one, two] = [client.subscribeBlocks({ from: 1 }), client.subscribeStatus()]
    await take<unknown>(one, 1)
    await take<unknown>(two, 1)
    await expect(client.subscribeFinality({ reconnect: false }).next()).rejects.toMatchObject({
      code: 'TOO_MANY_SUBSCRIBERS',
    })
    const turnedAway = Promise.withResolvers<void>()
    const patient = client.subscribeBlocks({ from: 2, onInterruption: () => turnedAway.resolve() })
    const first = patient.next()
    await turnedAway.promise
    await one.return?.()
    expect((await first).value?.height).toBe(2)
    await two.return?.()
    await patient.return?.()
  })

  test('a height before the chain, and an interval that is none, are told as wrong', async () => {
    const client = createClient((await served({ count: 2, initialHeight: 5 })).url)
    await expect(client.subscribeBlocks({ from: 1 }).next()).rejects.toMatchObject({
      code: 'BLOCK_NOT_FOUND',
      data: { nextHeight: 5 },
    })
    await expect(client.subscribeStatus({ interval: 5 }).next()).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
    })
  })
})
