/*
 * Go peers for the suite: builds the programs under go/, once for each state of their sources, and drives them by
 * JSON lines (events and replies on standard output, commands on standard input, which also keeps them alive).
 */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { systemEnv, withTimeout } from '../../src/core/env.ts'

const sources = fileURLToPath(new URL('go/', import.meta.url))
/** How long any answer of a peer may take, milliseconds. */
const PATIENCE = 60_000

/** The Go programs: go-header v0.8.6, and ev-node v1.0.0-beta.11 with go-header v0.7.3. */
export type GoProgram = 'goheader' | 'beta11'

/** Which store, topic and protocol is meant. */
export type Kind = 'headerSync' | 'dataSync'

/** One line that a Go program wrote. */
export type GoEvent = z.infer<typeof eventShape>

const eventShape = z.object({
  event: z.string(),
  id: z.number().optional(),
  error: z.string().optional(),
  message: z.string().optional(),
  peer: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  protocols: z.array(z.string()).optional(),
  genesis: z.record(z.string(), z.unknown()).optional(),
  security: z.string().optional(),
  kind: z.string().optional(),
  height: z.number().optional(),
  hash: z.string().optional(),
  dataHash: z.string().optional(),
  stateRoot: z.string().optional(),
  verdict: z.string().optional(),
  found: z.array(z.string()).optional(),
  peers: z.array(z.string()).optional(),
  count: z.number().optional(),
  milliseconds: z.number().optional(),
})

/** A command's members beside its name. */
export interface GoCommand {
  readonly kind?: Kind
  readonly peer?: string
  readonly hash?: string
  readonly height?: number
  readonly from?: number
  readonly to?: number
  readonly count?: number
}

/** A running Go program. */
export interface GoPeer {
  readonly id: string
  /** Multiaddresses it listens on, with its id. */
  readonly addresses: readonly string[]
  /** What it said when it was ready. */
  readonly ready: GoEvent
  /** Everything it said so far. */
  readonly events: readonly GoEvent[]
  /** The first event, past or coming, that `accept` takes. */
  event(what: string, accept: (event: GoEvent) => boolean): Promise<GoEvent>
  /** Sends a command and resolves with the reply; rejects with the error it tells. */
  ask(command: string, members?: GoCommand): Promise<GoEvent>
  /** Ends it and waits until it has ended. */
  stop(): Promise<void>
}

/** The installed Go's version line, or undefined without Go. */
export function goVersion(): string | undefined {
  const { status, stdout } = spawnSync('go', ['version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** Builds a program unless the same sources were built before; returns its path. */
export function buildGoProgram(program: GoProgram): string {
  const hash = createHash('sha256').update(goVersion() ?? '')
  for (const file of goFiles(sources)) {
    const content = readFileSync(file)
    hash.update(`${file.slice(sources.length)} ${content.length}\n`).update(content)
  }
  const directory = join(tmpdir(), `evolve-interop-${hash.digest('hex').slice(0, 16)}`)
  const binary = join(directory, program)
  if (statSync(binary, { throwIfNoEntry: false }) !== undefined) return binary
  mkdirSync(directory, { recursive: true })
  // Renamed only when complete, so that a broken-off or concurrent build leaves nothing half-made.
  const unfinished = `${binary}.${process.pid}`
  const { status, stderr } = spawnSync('go', ['build', '-o', unfinished, '.'], {
    cwd: join(sources, program),
    encoding: 'utf8',
    env: { ...process.env, GOFLAGS: '-mod=readonly -buildvcs=false', GOWORK: 'off' },
  })
  if (status !== 0) throw new Error(`go build of ${program} failed:\n${stderr}`)
  renameSync(unfinished, binary)
  return binary
}

function goFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      return entry.isDirectory() ? goFiles(path) : [path]
    })
}

/** Starts a program with a sub-command and its flags; it is stopped when the running test is over. */
export async function startGoPeer(
  program: GoProgram,
  command: string,
  flags: Readonly<Record<string, string | number | boolean>>,
): Promise<GoPeer> {
  const parameters = Object.entries(flags).map(([name, value]) => `-${name}=${value}`)
  const child = spawn(buildGoProgram(program), [command, ...parameters], { stdio: 'pipe' })
  const lines = collect(child)
  const name = `${program} ${command}`

  async function event(what: string, accept: (event: GoEvent) => boolean): Promise<GoEvent> {
    try {
      return await withTimeout(systemEnv, PATIENCE, undefined, what, (signal) => lines.next(accept, signal))
    } catch (error) {
      const last = lines.events.slice(-8).map((line) => JSON.stringify(line))
      throw new Error(
        [`${name} did not say: ${what}; its last words:`, ...last, lines.stderr().slice(-2_000)].join('\n'),
        { cause: error },
      )
    }
  }

  let asked = 0
  async function stop(): Promise<void> {
    child.stdin.end()
    await lines.ended
  }
  onTestFinished(stop)
  const ready = await event('ready', (line) => line.event === 'ready')
  return {
    id: ready.peer ?? '',
    addresses: ready.addresses ?? [],
    ready,
    events: lines.events,
    event,
    async ask(question, members = {}) {
      const id = ++asked
      child.stdin.write(`${JSON.stringify({ ...members, id, command: question })}\n`)
      const reply = await event(`reply to ${question}`, (line) => line.event === 'reply' && line.id === id)
      if (reply.error !== undefined) throw new Error(`${name} answered ${question} with: ${reply.error}`)
      return reply
    },
    stop,
  }
}

/** Reads a child's lines, and lets others wait for them. */
function collect(child: ChildProcessWithoutNullStreams): {
  readonly events: readonly GoEvent[]
  readonly ended: Promise<void>
  stderr(): string
  next(accept: (event: GoEvent) => boolean, signal: AbortSignal): Promise<GoEvent>
} {
  const events: GoEvent[] = []
  const watchers = new Set<() => void>()
  let stderr = ''
  let over = false
  const tell = (): void => {
    for (const watcher of watchers) watcher()
  }
  child.stderr.on('data', (text: Buffer) => {
    stderr = (stderr + text.toString()).slice(-20_000)
  })
  // A program that ended by itself cannot take commands; whoever waits for its answer is told by `ended`.
  child.stdin.on('error', () => undefined)
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(eventShape.parse(JSON.parse(line)))
    tell()
  })
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      over = true
      tell()
      resolve()
    })
  })
  return {
    events,
    ended,
    stderr: () => stderr,
    async next(accept, signal) {
      let looked = 0
      return await new Promise<GoEvent>((resolve, reject) => {
        const look = (): void => {
          const found = events.slice(looked).find(accept)
          looked = events.length
          if (found === undefined && !over) return
          watchers.delete(look)
          if (found === undefined) reject(new Error('it ended'))
          else resolve(found)
        }
        signal.addEventListener('abort', () => watchers.delete(look), { once: true })
        watchers.add(look)
        look()
      })
    },
  }
}
