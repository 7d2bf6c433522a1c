import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createMemoryHub, type MemoryNode } from '../../../test/support/memory-network.ts'
import {
  NOT_FOUND_FRAME,
  okFrames,
  type Script,
  serveScript,
  silence,
} from '../../../test/support/raw-exchange.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import { concatBytes, fromHex } from '../../util/bytes.ts'
import { type Answer, ask, type AskOptions, type Question } from './ask.ts'
import { encodeFrame, encodeResponseFrames } from './codec.ts'
import { CLIENT_LIMITS } from './limits.ts'

const PROTOCOL = '/dummy/header-ex/v0.0.3'
const chain = makeDummies(100)
const bodies = chain.map((item) => dummyKind.encode(item))
const range: Question = { type: 'range', from: 11, amount: 4 }

/** Bodies of heights `from` up to and without `to`. */
function some(from: number, to: number): Uint8Array[] {
  return bodies.slice(from - 1, to - 1)
}

function altered(height: number, change: Partial<DummyItem>): Uint8Array {
  const item = chain[height - 1]
  if (item === undefined) throw new Error(`no height ${height}`)
  return dummyKind.encode({ ...item, ...change })
}

interface Setup {
  readonly node: MemoryNode
  readonly peer: MemoryNode
  readonly time: VirtualEnv
  readonly put: (question: Question, options?: Partial<AskOptions>) => Promise<Answer<DummyItem>>
}

async function setUp(script: Script): Promise<Setup> {
  const time = createVirtualEnv()
  const hub = createMemoryHub()
  const node = hub.node('us')
  const peer = hub.node('peer')
  hub.connect('us', 'peer')
  await serveScript(peer, PROTOCOL, script)
  const options: AskOptions = {
    protocol: PROTOCOL,
    chainId: 'dummy',
    limits: CLIENT_LIMITS,
    validate: true,
    signal: new AbortController().signal,
  }
  return {
    node,
    peer,
    time,
    put: async (question, more = {}) =>
      await ask({ network: node, kind: dummyKind, env: time.env }, 'peer', question, { ...options, ...more }),
  }
}

/** What a peer that sends just these pieces is found to have answered. */
async function answerTo(
  pieces: readonly Uint8Array[],
  question: Question = range,
): Promise<Answer<DummyItem>> {
  const { put, time } = await setUp(() => pieces)
  const answer = await put(question)
  expect(time.timers).toBe(0)
  return answer
}

function heights(answer: Answer<DummyItem>): number[] {
  return answer.items.map((item) => item.height)
}

describe('good answers', () => {
  test('a whole range', async () => {
    const answer = await answerTo([okFrames(some(11, 15))])
    expect(answer).toMatchObject({ end: 'complete', surplus: false, error: undefined })
    expect(heights(answer)).toEqual([11, 12, 13, 14])
    expect(answer.bytes).toBe(okFrames(some(11, 15)).length)
  })

  test('in pieces of any size it is the same', async () => {
    const frames = okFrames(some(11, 15))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: frames.length }), async (size) => {
        const pieces: Uint8Array[] = []
        for (let at = 0; at < frames.length; at += size) pieces.push(frames.slice(at, at + size))
        const answer = await answerTo(pieces)
        expect(heights(answer)).toEqual([11, 12, 13, 14])
        expect(answer.surplus).toBe(false)
      }),
      { numRuns: 40 },
    )
  })

  test('the beginning of a range is short', async () => {
    const answer = await answerTo([okFrames(some(11, 13))])
    expect(answer.end).toBe('short')
    expect(heights(answer)).toEqual([11, 12])
  })

  test('the head may have any height', async () => {
    expect(heights(await answerTo([okFrames(some(77, 78))], { type: 'head' }))).toEqual([77])
  })

  test('a hash', async () => {
    const hash = dummyKind.hash(makeDummies(8)[7] ?? raise())
    expect(heights(await answerTo([okFrames(some(8, 9))], { type: 'hash', hash }))).toEqual([8])
  })

  test('NOT_FOUND', async () => {
    expect(await answerTo([NOT_FOUND_FRAME])).toMatchObject({
      end: 'missing',
      items: [],
      error: { code: 'NOT_FOUND' },
    })
  })
})

describe('answers that are not what was asked', () => {
  const withRange = { ...range }
  test.each([
    ['a height below', [okFrames(some(10, 14))], []],
    ['a height above', [okFrames(some(12, 16))], []],
    ['a height of 2^53 - 1', [okFrames([altered(11, { height: Number.MAX_SAFE_INTEGER })])], []],
    ['a height of 2^62', [okFrames([altered(11, { height: 2 ** 62 })])], []],
    ['a gap', [okFrames([...some(11, 13), ...some(14, 16)])], [11, 12]],
    ['one twice', [okFrames([...some(11, 13), ...some(12, 14)])], [11, 12]],
    ['reversed', [okFrames(some(11, 15).toReversed())], []],
    ['another chain', [okFrames([...some(11, 12), altered(12, { chainId: 'other' })])], [11]],
    ['another letter case', [okFrames([altered(11, { chainId: 'Dummy' })])], []],
    [
      'a bad signature in the middle',
      [okFrames([...some(11, 13), altered(13, { signed: false })])],
      [11, 12],
    ],
    ['status INVALID', [encodeResponseFrames(some(11, 12), 0)], []],
    ['status 7', [okFrames(some(11, 12)), encodeResponseFrames(some(12, 13), 7)], [11]],
    ['status -1', [encodeFrame(hex('10ffffffffffffffffff01'))], []],
    ['OK without a body', [encodeResponseFrames([new Uint8Array()], 1)], []],
    ['an empty frame', [Uint8Array.of(0)], []],
    ['a body that is no item', [okFrames([...some(11, 12), hex('00ff00ff')])], [11]],
    ['a frame that is no response', [encodeFrame(hex('0aff01'))], []],
    ['a frame of 10 MiB and a byte', [okFrames(some(11, 13)), hex('8180800500')], [11, 12]],
    ['a frame of 2^63 bytes', [hex('ffffffffffffffff7f')], []],
    ['a length of eleven bytes', [hex('8080808080808080808000')], []],
  ])('%s is garbage; what came before it is kept', async (_, pieces, kept) => {
    const answer = await answerTo(pieces, withRange)
    expect(answer.end).toBe('garbage')
    expect(answer.error).toMatchObject({ code: 'BAD_ANSWER', verdict: 'reject' })
    expect(heights(answer)).toEqual(kept)
  })

  test('another hash is garbage', async () => {
    const hash = dummyKind.hash(makeDummies(8)[7] ?? raise())
    expect(await answerTo([okFrames(some(9, 10))], { type: 'hash', hash })).toMatchObject({ end: 'garbage' })
  })

  test('signatures are left to others when it is said so', async () => {
    const { put } = await setUp(() => [okFrames([altered(11, { signed: false }), ...some(12, 15)])])
    expect(heights(await put(range, { validate: false }))).toEqual([11, 12, 13, 14])
  })

  test.each([
    ['more items in the same piece', [okFrames(some(11, 20))], 'complete'],
    ['more items in another piece', [okFrames(some(11, 15)), okFrames(some(15, 16))], 'complete'],
    ['half a frame more', [concatBytes(okFrames(some(11, 15)), Uint8Array.of(9))], 'complete'],
    ['NOT_FOUND after items', [okFrames(some(11, 13)), NOT_FOUND_FRAME], 'short'],
    ['items after NOT_FOUND', [NOT_FOUND_FRAME, okFrames(some(11, 13))], 'missing'],
  ])('%s is a surplus', async (_, pieces, end) => {
    expect(await answerTo(pieces)).toMatchObject({ end, surplus: true })
  })

  test('two heads are a head and a surplus', async () => {
    const answer = await answerTo([okFrames(some(50, 52))], { type: 'head' })
    expect(answer).toMatchObject({ end: 'complete', surplus: true })
    expect(heights(answer)).toEqual([50])
  })

  test('any bytes give an answer, whose items are those asked for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), async (junk) => {
        const answer = await answerTo([okFrames(some(11, 12)), ...junk])
        expect(answer.items[0]?.height).toBe(11)
        expect(['short', 'garbage', 'failed']).toContain(answer.end)
      }),
      { numRuns: 100 },
    )
  })
})

describe('answers that do not end well', () => {
  test('closed without a word', async () => {
    expect(await answerTo([])).toMatchObject({ end: 'empty', error: { code: 'EMPTY_ANSWER' } })
  })

  test('closed inside a frame: what came before is kept', async () => {
    const answer = await answerTo([okFrames(some(11, 15)).subarray(0, -3)])
    expect(answer).toMatchObject({ end: 'failed', error: { code: 'STREAM_RESET' } })
    expect(heights(answer)).toEqual([11, 12, 13])
  })

  test('reset after two items', async () => {
    const { put } = await setUp(function* answer() {
      yield okFrames(some(11, 13))
      throw new Error('reset')
    })
    const answer = await put(range)
    expect(answer).toMatchObject({ end: 'failed', error: { code: 'STREAM_RESET' } })
    expect(heights(answer)).toEqual([11, 12])
  })

  test('no stream', async () => {
    const { put, node } = await setUp(() => [])
    expect(await put(range, { protocol: '/other' })).toMatchObject({ end: 'unreachable' })
    await node.ban('peer', 1_000, 'test')
    expect(await put(range)).toMatchObject({ end: 'unreachable' })
  })

  test('silence ends after eight seconds', async () => {
    const { put, time, peer } = await setUp(async function* answer(_, context) {
      yield await silence(context)
    })
    const answer = put(range)
    await time.advance(7_999)
    expect(peer.serving).toBe(1)
    await time.advance(1)
    expect(await answer).toMatchObject({ end: 'failed', ms: 8_000, error: { code: 'TIMEOUT' } })
    expect([peer.serving, time.timers]).toEqual([0, 0])
  })

  test('one item every 7.9 s ends after eight seconds too, with what came', async () => {
    const { put, time } = await setUp(async function* answer(request) {
      for (let height = 11; height < 11 + Number(request.amount); height++) {
        yield okFrames(some(height, height + 1))
        await new Promise<void>((resolve) => time.env.timer(7_900, resolve))
      }
    })
    const answer = put(range)
    await time.advance(8_000)
    expect(heights(await answer)).toEqual([11, 12])
    expect(await answer).toMatchObject({ end: 'failed', ms: 8_000 })
  })

  test('everything is here, but the peer does not close: a moment later it is complete', async () => {
    const { put, time, peer } = await setUp(async function* answer(_, context) {
      yield okFrames(some(11, 15))
      yield await silence(context)
    })
    const answer = put(range)
    await time.advance(CLIENT_LIMITS.linger)
    expect(await answer).toMatchObject({ end: 'complete', surplus: false })
    expect([peer.serving, time.timers]).toEqual([0, 0])
  })

  test('64 items of 10 MiB: no more than the budget is taken, and what fitted is kept', async () => {
    let sent = 0
    const large = altered(11, { payload: 'x'.repeat(10 * 1024 * 1024 - 1_000) })
    const { put } = await setUp(function* answer() {
      for (let height = 11; height < 75; height++) {
        sent++
        yield okFrames([height === 11 ? large : altered(height, { payload: 'x'.repeat(10_000_000) })])
      }
    })
    const answer = await put({ type: 'range', from: 11, amount: 64 })
    expect(answer.end).toBe('short')
    expect(heights(answer)).toEqual([11, 12])
    expect(sent).toBe(2)
  })

  test('we give up: aborted, whatever came', async () => {
    const gone = new AbortController()
    const { put, time, peer } = await setUp(async function* answer(_, context) {
      yield okFrames(some(11, 12))
      yield await silence(context)
    })
    const answer = put(range, { signal: gone.signal })
    await time.settle()
    gone.abort(new Error('enough'))
    expect(await answer).toMatchObject({ end: 'aborted' })
    expect([peer.serving, time.timers]).toEqual([0, 0])
    expect(await put(range, { signal: gone.signal })).toMatchObject({ end: 'aborted', items: [] })
  })

  test('the one who counts the bytes can end it', async () => {
    const { put } = await setUp(() => [okFrames(some(11, 12)), okFrames(some(12, 15))])
    const first = okFrames(some(11, 12)).length
    let seen = 0
    const onBytes = (count: number): boolean => (seen += count) <= first
    expect(await put(range, { onBytes })).toMatchObject({ end: 'complete' })
    const { put: again } = await setUp(() => [
      okFrames(some(11, 12)),
      okFrames(some(12, 14)),
      okFrames(some(14, 15)),
    ])
    seen = 0
    const answer = await again(range, { onBytes })
    expect([answer.end, heights(answer)]).toEqual(['short', [11, 12, 13]])
    const { put: never } = await setUp(() => [okFrames(some(11, 12)).subarray(0, 9)])
    expect(await never(range, { onBytes: () => false })).toMatchObject({ end: 'aborted', items: [] })
  })
})

function raise(): never {
  throw new Error('no such item')
}

function hex(text: string): Uint8Array {
  return fromHex(text) ?? raise()
}
