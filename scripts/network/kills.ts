import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../src/node/devnet/homes.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { fromUtf8, toHex } from '../../src/util/bytes.ts'
import type { DaOrder, NodeMessage, NodeOrder } from './messages.ts'
import { planNetwork } from './orders.ts'
import { createWitness, type Witness } from './witness.ts'

/** What to do to the network. */
export interface KillsPlan {
  /** Kills of each process. */
  readonly kills: number
  readonly seed: number
  /** Told now and then how far it is. */
  readonly say: (line: string) => void
}

/** What came of it. */
export interface KillsResult {
  readonly faults: readonly string[]
  /** For people. */
  readonly lines: readonly string[]
}

const BLOCK_TIME = 50
const DA_BLOCK_TIME = 300
const TXS_PER_SECOND = 20
/** Milliseconds a process lives before it is killed, and stays dead before it comes back, at most. */
const LIFE = 1_500
const DEATH = 500
/** Milliseconds for a process to start, and for the network to agree in the end. */
const START_PATIENCE = 30_000
const END_PATIENCE = 120_000

const NAMES = ['da', 'aggregator', 'follower', 'da-only'] as const
type Name = (typeof NAMES)[number]

/** Random numbers in [0, 1) from a seed (mulberry32). */
function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

interface Member {
  readonly name: Name
  readonly script: string
  readonly order: NodeOrder | DaOrder
  child: ChildProcess | undefined
  kills: number
  /** Milliseconds each start took, as the process itself measured. */
  readonly starts: number[]
}

/** Kills processes of a network at random moments and looks at what is left. See ../kills.ts. */
export async function runKills({ kills, seed, say }: KillsPlan): Promise<KillsResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'evolve-kills-'))
  const random = chance(seed)
  const witness = createWitness()
  const begun = performance.now()
  const kvPort = await freePort()
  const members = await plan(scratch, kvPort)
  const txs = { sent: 0, taken: 0 }
  const over = new AbortController()
  try {
    for (const member of members) await revive(member, witness)
    const sending = send(kvPort, txs, over.signal)
    const progress = setInterval(() => {
      say(`${members.map((one) => `${one.name} ${one.kills}`).join('  ')}  height ${witness.highest}`)
    }, 500)
    await Promise.all(members.map(async (member) => await torment(member, kills, random, witness)))
    over.abort()
    await sending
    clearInterval(progress)
    await settle(members, witness)
    await Promise.all(members.map(async (member) => await end(member)))
    const inBlocks = await inspect(scratch, members, witness)
    const starts = members.flatMap((one) => (one.name === 'da' ? [] : one.starts)).toSorted((a, b) => a - b)
    const at = (part: number): string => (starts[Math.floor((starts.length - 1) * part)] ?? 0).toFixed(0)
    return {
      faults: witness.faults,
      lines: [
        `${members.map((one) => `${one.kills} × ${one.name}`).join(', ')} killed in ${((performance.now() - begun) / 1000).toFixed(0)} s, seed ${seed}`,
        `${witness.highest} blocks, ${txs.taken} transactions taken, ${inBlocks} in blocks`,
        `a node was up again after ${at(0.5)} ms (median), ${at(1)} ms (longest)`,
      ],
    }
  } finally {
    over.abort()
    for (const { child } of members) child?.kill('SIGKILL')
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function plan(scratch: string, kvPort: number): Promise<Member[]> {
  const times = { blockTime: BLOCK_TIME, daBlockTime: DA_BLOCK_TIME }
  const { da, aggregator, follower, daOnly } = await planNetwork(scratch, {
    chainId: 'kills',
    kvPort,
    ...times,
  })
  const member = (name: Name, order: NodeOrder | DaOrder): Member => ({
    name,
    order,
    script: name === 'da' ? 'da' : 'node',
    child: undefined,
    kills: 0,
    starts: [],
  })
  return [
    member('da', da),
    member('aggregator', aggregator),
    member('follower', follower),
    member('da-only', daOnly),
  ]
}

async function revive(member: Member, witness: Witness): Promise<void> {
  const script = fileURLToPath(new URL(`./${member.script}.ts`, import.meta.url))
  const child = fork(script, [JSON.stringify(member.order)], {
    execArgv: ['--conditions=evolve-source'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  member.child = child
  const up = Promise.withResolvers<void>()
  const timer = setTimeout(() => up.reject(new Error(`${member.name} did not start`)), START_PATIENCE)
  child.on('message', (received: unknown) => {
    const message = asMessage(received)
    if (message === undefined) return
    witness.hear(member.name, message)
    if (message.type !== 'started') return
    member.starts.push(message.took)
    up.resolve()
  })
  child.once('exit', (code, signal) => {
    if (signal === 'SIGKILL') up.resolve()
    else up.reject(new Error(`${member.name} ended with code ${code}`))
  })
  try {
    await up.promise
  } catch (error) {
    witness.faults.push(String(error))
  } finally {
    clearTimeout(timer)
  }
}

function asMessage(received: unknown): NodeMessage | undefined {
  return isMessage(received) ? received : undefined
}

function isMessage(received: unknown): received is NodeMessage {
  return typeof received === 'object' && received !== null && 'type' in received
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>((resolve) => child.once('exit', () => resolve()))
}

/** Kills a process over and over. */
async function torment(member: Member, kills: number, random: () => number, witness: Witness): Promise<void> {
  for (let n = 0; n < kills; n++) {
    await wait(random() * LIFE)
    const { child } = member
    if (child === undefined) return
    child.kill('SIGKILL')
    await gone(child)
    member.kills++
    await wait(random() * DEATH)
    await revive(member, witness)
  }
}

async function send(
  kvPort: number,
  txs: { sent: number; taken: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    txs.sent++
    const body = `key${txs.sent}=value ${txs.sent}`
    await fetch(`http://127.0.0.1:${kvPort}/tx`, { method: 'POST', body, signal: AbortSignal.timeout(1_000) })
      .then(async (response) => {
        await response.arrayBuffer()
        if (response.ok) txs.taken++
      })
      .catch(() => undefined)
    await wait(1_000 / TXS_PER_SECOND)
  }
}

/** Waits until all that was made is final everywhere. */
async function settle(members: readonly Member[], witness: Witness): Promise<void> {
  const target = witness.highest
  const nodes = members.filter(({ name }) => name !== 'da')
  const deadline = performance.now() + END_PATIENCE
  const behind = (): Member[] =>
    nodes.filter(({ name }) => witness.heightOf(name) < target || witness.finalOf(name) < target)
  while (behind().length > 0 && performance.now() < deadline) await wait(50)
  for (const { name } of behind()) {
    witness.faults.push(
      `${name} is at ${witness.heightOf(name)}, final ${witness.finalOf(name)}, long after block ${target}`,
    )
  }
}

async function end({ child }: Member): Promise<void> {
  if (child === undefined) return
  if (child.connected) child.disconnect()
  await gone(child)
}

/** Reads what the nodes have on disk: one chain, each transaction once, one signature a height. */
async function inspect(scratch: string, members: readonly Member[], witness: Witness): Promise<number> {
  const { faults } = witness
  let inBlocks = 0
  for (const { name } of members.filter((one) => one.name !== 'da')) {
    const kv = createLevelKv({ path: join(scratch, name, 'data') })
    const store = createBlockStore({ kv })
    await kv.start()
    await store.start()
    const seen = new Map<string, number>()
    const height = await store.height()
    for (let at = 1; at <= height; at++) {
      const block = await store.block(at)
      for (const tx of block?.data.txs ?? []) {
        const text = fromUtf8(tx) ?? toHex(tx)
        const before = seen.get(text)
        if (before !== undefined) faults.push(`${name} has ${text} in blocks ${before} and ${at}`)
        seen.set(text, at)
      }
    }
    if (inBlocks === 0) inBlocks = seen.size
    await store.stop()
    await kv.stop()
  }
  const signed = new Map<string, string>()
  const file = join(scratch, 'aggregator', 'signatures')
  for (const line of existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []) {
    const [height = '', hash = ''] = line.split(' ')
    const before = signed.get(height)
    if (before !== undefined && before !== hash)
      faults.push(`height ${height} was signed as ${before} and as ${hash}`)
    signed.set(height, hash)
  }
  if (signed.size === 0) faults.push('no signature was noted')
  return inBlocks
}
