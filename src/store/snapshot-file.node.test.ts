import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { openSnapshot, readFrames, writeSnapshot } from './snapshot-file.node.ts'
import type { SnapshotFrame, SnapshotManifest } from './snapshot-format.ts'

const folder = mkdtempSync(join(tmpdir(), 'evolve-snapshot-'))
afterEach(() => rmSync(join(folder, 'file'), { force: true }))

const manifest: SnapshotManifest = {
  chainId: 'a-chain',
  application: 'kv',
  initialHeight: 1,
  height: 2,
  firstHeight: 1,
  firstState: 1,
  headerHash: new Uint8Array(32),
  finalHeight: 0,
  genesisDaHeight: 0,
  created: 1n,
}

async function* entries(count: number, bytes: number): AsyncGenerator<SnapshotFrame> {
  for (let index = 0; index < count; index++) {
    yield { kind: 'application', key: Uint8Array.of(1), value: new Uint8Array(bytes) }
  }
}

async function readAll(): Promise<number> {
  let count = 0
  for await (const _ of readFrames(await openSnapshot(join(folder, 'file')))) count++
  return count
}

test('a file that unpacks to far more than a chain would is refused in the middle', async () => {
  await writeSnapshot(join(folder, 'file'), { manifest, frames: entries(100, 1_000_000) })
  await expect(readAll()).rejects.toMatchObject({
    code: 'SNAPSHOT_DAMAGED',
    message: expect.stringContaining('unpacks to more than'),
  })
})

test('what packs well, but holds little, is read', async () => {
  await writeSnapshot(join(folder, 'file'), { manifest, frames: entries(50, 1_000_000) })
  expect(await readAll()).toBe(50)
})
