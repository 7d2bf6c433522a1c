/*
 * Many subscribers to the blocks of one node, over Connect and HTTP/1.1, each with a connection of its own. Argument: a
 * SubscribeOrder as JSON. Ends when its parent lets go.
 */
import { Agent, request } from 'node:http'
import { fromBinary } from '@bufbuild/protobuf'
import { SubscribeBlocksResponseSchema } from '../../src/rpc/gen/evolve/v1/chain_pb.ts'
import type { Saved, SubscribeMessage, SubscribeOrder } from '../subscribe-messages.ts'

const order: SubscribeOrder = JSON.parse(process.argv[2] ?? '{}')
const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
const now = (): number => performance.timeOrigin + performance.now()

/** What a subscriber was told: heights, and when they came. */
interface Subscriber {
  readonly heights: number[]
  readonly at: number[]
  ended: boolean
}

/** Requests for blocks as summaries, and whole. */
const SUMMARIES = Uint8Array.of(0, 0, 0, 0, 0)
const WHOLE = Uint8Array.of(0, 0, 0, 0, 2, 0x10, 1)

function tell(message: SubscribeMessage): void {
  process.send?.(message)
}

/** Opens a stream and hands on what it brings; resolves once something has come. */
async function open(body: Uint8Array, onBytes: (bytes: Buffer) => boolean, onEnd: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const call = request(`${order.url}/evolve.v1.ChainService/SubscribeBlocks`, {
      agent,
      method: 'POST',
      headers: { 'content-type': 'application/connect+proto', 'content-length': body.length },
    })
    call.on('error', reject)
    call.on('response', (response) => {
      response.on('error', onEnd)
      response.on('close', onEnd)
      response.on('data', (bytes: Buffer) => {
        if (!onBytes(bytes)) response.pause()
        resolve()
      })
    })
    call.end(body)
  })
}

async function subscribe(): Promise<Subscriber> {
  const subscriber: Subscriber = { heights: [], at: [], ended: false }
  let rest: Buffer = Buffer.alloc(0)
  await open(
    SUMMARIES,
    (bytes) => {
      const at = now()
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
      for (; rest.length >= 5; ) {
        const end = 5 + rest.readUInt32BE(1)
        if (rest.length < end) break
        if (rest[0] === 0) {
          const { summary } = fromBinary(SubscribeBlocksResponseSchema, rest.subarray(5, end))
          if (summary !== undefined) {
            subscriber.heights.push(Number(summary.height))
            subscriber.at.push(at)
          }
        }
        rest = rest.subarray(end)
      }
      return true
    },
    () => {
      subscriber.ended = true
    },
  )
  return subscriber
}

const subscribers: Subscriber[] = []
for (let opened = 0; opened < order.count; opened += 50) {
  const some = Math.min(50, order.count - opened)
  subscribers.push(...(await Promise.all(Array.from({ length: some }, subscribe))))
}
for (let opened = 0; opened < order.stuck; opened++) {
  await open(
    WHOLE,
    () => false,
    () => {},
  )
}

process.on('message', ({ from, at }: Saved) => {
  const lags: number[] = []
  let missing = 0
  for (const { heights, at: arrivals } of subscribers) {
    const first = heights.indexOf(from + 1)
    if (first < 0) missing += at.length
    else {
      for (const [index, saved] of at.entries()) {
        const arrival = arrivals[first + index]
        if (heights[first + index] !== from + 1 + index || arrival === undefined) missing++
        else lags.push(arrival - saved)
      }
    }
  }
  lags.sort((a, b) => a - b)
  const lag = (part: number): number => lags[Math.floor((lags.length - 1) * part)] ?? 0
  tell({
    events: lags.length,
    missing,
    median: lag(0.5),
    most: lag(0.99),
    ended: subscribers.filter(({ ended }) => ended).length,
  })
})
process.once('disconnect', () => process.exit())
tell({ subscribed: subscribers.length })
