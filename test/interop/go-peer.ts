/* Builds the Go programs under go/, once for each state of their sources, and starts them as peers of the suite. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Peer, startPeer } from './peer-process.ts'

const sources = fileURLToPath(new URL('go/', import.meta.url))

/** The Go programs: go-header v0.8.6, ev-node v1.0.0-beta.11 with go-header v0.7.3, and clients of RPC. */
export type GoProgram = 'goheader' | 'beta11' | 'rpc'

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
): Promise<Peer> {
  const parameters = Object.entries(flags).map(([name, value]) => `-${name}=${value}`)
  return await startPeer(`${program} ${command}`, buildGoProgram(program), [command, ...parameters])
}
