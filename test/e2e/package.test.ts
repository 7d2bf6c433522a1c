/* The package as it is published: built files, reached through its exports. Needs `npm run build` before. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs a module in a process of its own, without the condition that finds the sources. */
async function evaluate(code: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: root })
  return stdout.trim()
}

describe('the doors of the package', () => {
  test.each(['evolve-node', 'evolve-node/client', 'evolve-node/header', 'evolve-node/types'])(
    '%s opens what it promises',
    async (door) => {
      const names = await evaluate(`console.log(Object.keys(await import('${door}')).sort().join('\\n'))`)
      expect(names).toMatchSnapshot()
    },
  )

  test('a node can be made, started and stopped by a program, which then ends', async () => {
    const code = `
      import { createFullNode, createKvExecutor, createMemoryKv, generateNodeKey, parseGenesis } from 'evolve-node'
      const genesis = parseGenesis(JSON.stringify({
        chain_id: 'embedded', start_time: '2026-01-01T00:00:00Z', initial_height: 1,
        proposer_address: Buffer.alloc(32, 1).toString('base64'), da_start_height: 0, da_epoch_forced_inclusion: 50,
      }))
      const node = createFullNode({
        genesis,
        nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
        kv: createMemoryKv(),
        executor: (kv) => createKvExecutor({ kv }),
      }, { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [] })
      await node.start()
      console.log(node.addresses().length, node.status().height)
      await node.stop()`
    expect(await evaluate(code)).toBe('1 0')
  })

  test('a chain can be made by a program: local DA, key, aggregator, finality', async () => {
    const code = `
      import { mkdtempSync, rmSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      import { join } from 'node:path'
      import {
        createDaClient, createFileLedger, createFullNode, createKvExecutor, createLocalDa, createMemoryKv,
        generateNodeKey, noopLogger, noopMetrics, signerOfKey, signingKeyOf, systemEnv,
      } from 'evolve-node'
      const random = (length) => crypto.getRandomValues(new Uint8Array(length))
      const folder = mkdtempSync(join(tmpdir(), 'evolve-embedded-'))
      const da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 50 })
      await da.start()
      const key = signingKeyOf(random(32))
      const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
      const node = createFullNode({
        genesis: {
          chainId: 'embedded', startTime: systemEnv.now(), initialHeight: 1, proposerAddress: key.address,
          daStartHeight: 0, daEpochForcedInclusion: 50,
        },
        nodeKey: generateNodeKey(random),
        kv: createMemoryKv(),
        executor: (kv) => createKvExecutor({ kv }),
        da: createDaClient(shared, { address: da.address }),
        key: {
          signer: signerOfKey(key),
          ledger: createFileLedger({ path: join(folder, 'signer.ledger'), keyFingerprint: key.address }),
        },
      }, {
        listen: ['/ip4/127.0.0.1/tcp/0'], peers: [], discovery: false, blockTime: 20,
        da: { namespace: 'embedded', blockTime: 50 },
      })
      const final = new Promise((resolve) => node.onFinal((height) => height >= 3 && resolve()))
      await node.start()
      await Promise.race([final, node.failed.then((error) => { throw error })])
      const { role, phase, finalHeight } = node.status()
      console.log(role, phase, finalHeight >= 3)
      await node.stop()
      await da.stop()
      rmSync(folder, { recursive: true })`
    expect(await evaluate(code)).toBe('aggregator producing true')
  })

  test('the command runs', async () => {
    const { stdout } = await run(process.execPath, ['dist/cli/main.js', 'version', '--json'], { cwd: root })
    expect(JSON.parse(stdout)).toMatchObject({ name: 'evolve', version: '0.1.0' })
  })
})
