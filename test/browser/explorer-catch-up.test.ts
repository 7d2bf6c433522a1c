import { create, toBinary } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import {
  NodeStatusSchema,
  Role,
  SubscribeStatusResponseSchema,
} from '../../src/rpc/gen/evolve/v1/chain_pb.ts'
import { useBrowser, useDevnet } from './explorer-rig.ts'

const browser = useBrowser()
const devnet = useDevnet()

/** One message of a stream, as Connect frames it. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

test('a node that catches up shows how far each of its stages is, and how long it will take', async () => {
  const status = create(NodeStatusSchema, {
    role: Role.FOLLOWER,
    phase: 'catching-up',
    height: 412_345n,
    headerHeight: 998_001n,
    dataHeight: 640_210n,
    targetHeight: 1_000_000n,
    finalHeight: 300_100n,
    earliestHeight: 412_340n,
    peers: 4,
    da: { next: 8_001n, head: 24_000n, reachable: true },
    rates: { blocks: 4_210.3, headers: 18_040, daHeights: 92.2 },
    estimateMs: 139_000n,
  })
  const message = toBinary(SubscribeStatusResponseSchema, create(SubscribeStatusResponseSchema, { status }))
  const open = await browser.open(devnet.base, '/peers')
  const { page } = open
  // A chain of a million blocks would be through before it was looked at.
  await page.route('**/evolve.v1.ChainService/SubscribeStatus', async (route) => {
    await route.fulfill({ contentType: 'application/connect+proto', body: framed(message) })
  })
  await page.goto(devnet.base)
  const card = page.getByRole('region', { name: 'Catching up' })
  await card.getByText('587,655 blocks to go · 4,210 blocks/s · about 2 min 19 s left').waitFor()
  const stages = await card
    .getByRole('progressbar')
    .evaluateAll((bars) =>
      bars.map((bar) => [
        bar.getAttribute('aria-label'),
        bar.getAttribute('value') ?? (bar instanceof HTMLProgressElement ? String(bar.value) : ''),
        bar instanceof HTMLProgressElement ? bar.max : 0,
      ]),
    )
  expect(stages).toEqual([
    ['Headers', '998001', 1_000_000],
    ['Data', '640210', 1_000_000],
    ['Executed', '412345', 1_000_000],
    ['Final', '300100', 1_000_000],
    ['DA read', '8000', 24_000],
  ])
  await card.getByText('18,040/s').waitFor()
  expect(await page.locator('.phase').textContent()).toBe('Catching up')
  expect(open.strangers).toEqual([])
})
