import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FollowerMessage, isMessage, type PeerMessage } from '../../scripts/recorded/messages.ts'
import { readFinal } from '../../scripts/recorded/recording.ts'
import { toHex } from '../../src/util/bytes.ts'
import { type RunningProgram, startProgram } from '../support/process.ts'

const recording = fileURLToPath(new URL('../fixtures/recorded-chain', import.meta.url))
const final = readFinal(recording)
const home = mkdtempSync(join(tmpdir(), 'evolve-crash-'))
const KILLS = 20
let peer: RunningProgram
let address = ''

const isProgress = (message: unknown): message is FollowerMessage =>
  isMessage<FollowerMessage>(message, 'progress')
const isDone = (message: unknown): message is FollowerMessage => isMessage<FollowerMessage>(message, 'done')

beforeAll(async () => {
  peer = startProgram('scripts/recorded/peer.ts', [recording])
  const listening = await peer.message((message): message is PeerMessage =>
    isMessage<PeerMessage>(message, 'listening'),
  )
  address = listening.addresses[0] ?? ''
})

afterAll(async () => {
  peer.child.disconnect()
  await peer.ended
  rmSync(home, { recursive: true, force: true })
})

/** The first progress message at or above a height, or the last message when the chain is done before. */
async function reached(follower: RunningProgram, height: number): Promise<FollowerMessage> {
  return await follower.message(
    (message): message is FollowerMessage =>
      (isProgress(message) && message.height >= height) || isDone(message),
  )
}

test(`killed ${KILLS} times at random heights, a follower goes on and ends the same`, async () => {
  const heights = Array.from({ length: KILLS }, () => Math.floor(Math.random() * final.height)).toSorted(
    (a, b) => a - b,
  )
  let executed = 0
  for (const height of heights) {
    const follower = startProgram('scripts/recorded/follower.ts', [recording, home, address, 'each-block'])
    const first = await follower.message(isProgress)
    // What was told before the kill is there after it.
    expect(first.height, `kills at ${heights.join(', ')}`).toBeGreaterThanOrEqual(executed)
    const last = await reached(follower, height)
    executed = last.height
    follower.child.kill('SIGKILL')
    expect((await follower.ended).signal).toBe('SIGKILL')
  }
  const follower = startProgram('scripts/recorded/follower.ts', [recording, home, address])
  const done = await follower.message(isDone)
  expect(done).toMatchObject({
    height: final.height,
    lastHeaderHash: toHex(final.lastHeaderHash),
    stateRoot: toHex(final.stateRoot),
  })
  expect((await follower.ended).code).toBe(0)
})
