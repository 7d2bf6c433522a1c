import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { runProgram } from '../support/process.ts'

const recording = fileURLToPath(new URL('../fixtures/recorded-chain', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'evolve-test-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('the recorded chain syncs over libp2p to its state root', async () => {
  const { code, stdout, stderr } = await runProgram('scripts/recorded.ts', [recording])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('✓ height       2264')
  expect(stdout).toContain('✓ last header  255d549f746b0ce92c2687d076cb56fe0202e7cf32bdffab0b55fde018305768')
  expect(stdout).toContain('✓ state root')
  expect(stdout).toMatch(/2264 blocks · [\d.]+ s · \d+ blocks\/s · [\d.]+ MiB · \d+ MiB peak memory/)
})

test('the recorded chain syncs from its DA blobs alone', async () => {
  const { code, stdout, stderr } = await runProgram('scripts/recorded.ts', [recording, '--da-only'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  // The recording ended before its last blocks were posted.
  expect(stdout).toContain('✓ height       2212')
  expect(stdout).toContain('✓ last header')
  expect(stdout).toContain('✓ state root')
})

test('a recording that ends on another state root is found out', async () => {
  const folder = join(scratch, 'other-root')
  cpSync(recording, folder, { recursive: true })
  const final = readFileSync(join(folder, 'final.json'), 'utf8')
  writeFileSync(join(folder, 'final.json'), final.replace(/("state_root": ")../, '$100'))
  const { code, stdout } = await runProgram('scripts/recorded.ts', [folder])
  expect(code).toBe(1)
  expect(stdout).toContain('✗ state root')
})

test('a folder without a recording is refused in one line', async () => {
  const { code, stderr } = await runProgram('scripts/recorded.ts', [join(scratch, 'nothing')])
  expect(code).toBe(2)
  expect(stderr).toContain('chain.bin.gz')
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
