/*
 * npm run bench:production [-- SECONDS]
 *
 * Blocks a second at 10 ms block time with 1,000 small transactions a second, beside a follower, each in a process of
 * its own, over a local DA on disk; then the disk that a block without transactions takes. Prints a table and JSON.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ClassicLevel } from 'classic-level'
import type { DaOrder, NodeMessage, NodeOrder } from '../scripts/network/messages.ts'
import { planNetwork } from '../scripts/network/orders.ts'
import { freePort } from '../src/node/devnet/homes.ts'

const SECONDS = Number(process.argv[2] ?? '20')
const BLOCK_TIME = 10
const TXS_PER_SECOND = 1_000
/** Blocks without transactions whose disk is measured. */
const EMPTY_BLOCKS = 2_000

const scratch = mkdtempSync(join(tmpdir(), 'evolve-bench-'))
const children: ChildProcess[] = []

/** What one node told so far. */
interface Told {
  height: number
  txs: number
  memory: number
  /** When each block was told, milliseconds of this process. */
  readonly at: Map<number, number>
}

async function start(
  script: string,
  order: NodeOrder | DaOrder,
): Promise<{ child: ChildProcess; told: Told }> {
  const path = fileURLToPath(new URL(`../scripts/network/${script}.ts`, import.meta.url))
  const child = fork(path, [JSON.stringify(order)], { execArgv: ['--conditions=evolve-source'] })
  children.push(child)
  const told: Told = { height: 0, txs: 0, memory: 0, at: new Map() }
  const up = Promise.withResolvers<void>()
  child.on('message', (message: NodeMessage) => {
    if (message.type === 'started') up.resolve()
    if (message.type === 'status') told.memory = Math.max(told.memory, message.memory)
    if (message.type === 'failed') throw new Error(message.message)
    if (message.type !== 'block') return
    told.height = message.height
    told.txs += message.txs
    told.at.set(message.height, performance.now())
  })
  await up.promise
  return { child, told }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await wait(10)
}

/** User and system time of a process in seconds. */
function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Bytes of a copy of the database once its engine has tidied up, by the height of its chain. */
async function bytesPerBlock(home: string, height: number): Promise<number> {
  const copy = join(scratch, 'copy')
  cpSync(join(home, 'data'), copy, { recursive: true })
  const level = new ClassicLevel<Uint8Array, Uint8Array>(copy, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.compactRange(Uint8Array.of(0), Uint8Array.of(255))
  await level.close()
  return bytesBelow(copy) / height
}

function bytesBelow(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

async function post(port: number, signal: AbortSignal): Promise<void> {
  const begun = performance.now()
  let sent = 0
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - begun) / 1_000) * TXS_PER_SECOND)
    const burst: Promise<unknown>[] = []
    for (; sent < due; sent++) {
      const request = fetch(`http://127.0.0.1:${port}/tx`, {
        method: 'POST',
        body: `key${sent % 5_000}=value ${sent}`,
      })
      burst.push(request.then(async (response) => await response.arrayBuffer()))
    }
    await Promise.all(burst)
    await wait(5)
  }
}

try {
  const kvPort = await freePort()
  const times = { blockTime: BLOCK_TIME, daBlockTime: 1_000 }
  const orders = await planNetwork(scratch, { chainId: 'bench', kvPort, ...times })
  await start('da', orders.da)
  const aggregator = await start('node', orders.aggregator)
  const follower = await start('node', orders.follower)
  await until(() => follower.told.height > 200)

  await until(() => aggregator.told.height >= EMPTY_BLOCKS)
  const emptyBytes = await bytesPerBlock(orders.aggregator.home, aggregator.told.height)

  const stop = new AbortController()
  const posting = post(kvPort, stop.signal)
  const before = {
    height: aggregator.told.height,
    txs: aggregator.told.txs,
    at: performance.now(),
    cpu: [aggregator, follower].map(({ child }) => cpuSeconds(child)),
  }
  await wait(SECONDS * 1_000)
  const seconds = (performance.now() - before.at) / 1_000
  const blocks = aggregator.told.height - before.height
  const txs = aggregator.told.txs - before.txs
  const cpu = [aggregator, follower].map(
    ({ child }, index) => (cpuSeconds(child) - (before.cpu[index] ?? 0)) / seconds,
  )
  const behind = aggregator.told.height - follower.told.height
  stop.abort()
  await posting
  const lags = [...follower.told.at]
    .filter(([height]) => height > before.height)
    .map(([height, at]) => at - (aggregator.told.at.get(height) ?? at))
    .toSorted((a, b) => a - b)
  const lag = (part: number): number => lags[Math.floor((lags.length - 1) * part)] ?? 0
  const result = {
    blocksPerSecond: blocks / seconds,
    txsPerSecond: txs / seconds,
    blocksBehind: behind,
    lagMedianMs: lag(0.5),
    lagP99Ms: lag(0.99),
    aggregatorCpu: cpu[0] ?? 0,
    followerCpu: cpu[1] ?? 0,
    aggregatorMiB: aggregator.told.memory / 2 ** 20,
    followerMiB: follower.told.memory / 2 ** 20,
    bytesPerEmptyBlock: emptyBytes,
  }
  console.log(
    `${SECONDS} s at ${BLOCK_TIME} ms block time and ${TXS_PER_SECOND} tx/s, ${cpus().length} cores (${cpus()[0]?.model ?? ''})`,
  )
  for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(20)} ${value.toFixed(2)}`)
  console.log(JSON.stringify(result))
} finally {
  for (const child of children) child.kill('SIGKILL')
  rmSync(scratch, { recursive: true, force: true })
}
process.exit()
