/*
 * The database, without touching it: LevelDB writes when it is opened, so a copy is looked at, made of links to its
 * tables, which never change, and of copies of the rest.
 */
import { copyFile, mkdtemp, readdir, readFile, rm, stat, statfs, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createBlockStore } from '../../store/block-store.ts'
import { createLevelKv } from '../../store/kv-level.node.ts'
import { describeError } from '../../util/errors.ts'
import { systemErrorCode } from '../../util/files.node.ts'
import { EXECUTORS } from '../start-node.ts'
import type { HomeFound } from './config.ts'
import { type Finding, findingsOf } from './finding.ts'

const MIB = 1024 * 1024
/** Free bytes below which a node may soon stop to write, and below which it does. */
const LITTLE_DISK = 2_048 * MIB
const NO_DISK = 64 * MIB

const size = (bytes: number): string =>
  bytes >= 1_024 * MIB ? `${(bytes / MIB / 1_024).toFixed(1)} GiB` : `${Math.ceil(bytes / MIB)} MiB`

/** Checks the databases of a home, and the room on their disk. `runs` says whether the node of the home answers. */
export async function checkDatabase({ paths, config }: HomeFound, runs: boolean): Promise<Finding[]> {
  const { ok, problem } = findingsOf('database')
  const folder = join(paths.home, config.dbPath)
  const found: Finding[] = []
  for (const name of EXECUTORS) {
    const path = join(folder, name)
    try {
      const files = await readdir(path)
      found.push(...(await checkOne({ name, path, files, runs })))
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') continue
      found.push(problem(`${path} cannot be read: ${describeError(error)}`, 'run as the user that owns it'))
    }
  }
  if (found.length === 0) found.push(ok('none yet: the node begins from nothing'))
  return [...found, ...(await checkDisk(folder))]
}

async function checkDisk(folder: string): Promise<Finding[]> {
  const { ok, warning, problem } = findingsOf('disk')
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path)
      const free = bavail * bsize
      const told = `${size(free)} free at ${path}`
      if (free < NO_DISK) return [problem(told, 'free some room: the node cannot write')]
      return [
        free < LITTLE_DISK
          ? warning(`only ${told}`, 'free some room, or let old blocks go: pruning.pruning_mode')
          : ok(told),
      ]
    } catch {
      if (dirname(path) === path) return []
    }
  }
}

async function sizeOf(path: string, files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(path, file)).catch(() => undefined))?.size ?? 0),
  )
  return sizes.reduce((sum, one) => sum + one, 0)
}

/** The process that has a lock on a file, from what Linux tells; undefined when nobody has, or it does not tell. */
async function lockHolder(path: string): Promise<string | undefined> {
  const [locks, file] = await Promise.all([
    readFile('/proc/locks', 'utf8').catch(() => ''),
    stat(path).catch(() => undefined),
  ])
  if (file === undefined) return undefined
  return new RegExp(String.raw`^\d+: \S+ +\S+ +WRITE (-?\d+) [\da-f]+:[\da-f]+:${file.ino} `, 'm').exec(
    locks,
  )?.[1]
}

async function checkOne({
  name,
  path,
  files,
  runs,
}: {
  readonly name: string
  readonly path: string
  readonly files: readonly string[]
  readonly runs: boolean
}): Promise<Finding[]> {
  const { ok, warning, problem } = findingsOf('database')
  const told = `${name}: ${size(await sizeOf(path, files))}`
  const holder = await lockHolder(join(path, 'LOCK'))
  if (holder !== undefined) {
    const who = Number(holder) > 0 ? `process ${holder}` : 'a process outside this container'
    const used = `${told}, in use by ${who}`
    return [
      runs
        ? ok(used)
        : warning(
            `${used}, but no node answers`,
            'it may be starting, or answer at another rpc.address; what another program does there is not known',
          ),
    ]
  }
  const copy = await mkdtemp(join(tmpdir(), 'evolve-doctor-'))
  try {
    await copyInto(copy, path, files)
    const kv = createLevelKv({ path: copy })
    const blocks = createBlockStore({ kv })
    await kv.start()
    try {
      await blocks.start()
      return [ok(`${told}, height ${(await blocks.state())?.lastBlockHeight ?? 0}, its last block is whole`)]
    } finally {
      await blocks.stop()
      await kv.stop()
    }
  } catch (error) {
    // A node that started meanwhile changes the files.
    if ((await lockHolder(join(path, 'LOCK'))) !== undefined) return [ok(`${told}, in use`)]
    const message = describeError(error).replaceAll(copy, path)
    return [
      problem(
        `${name}: ${message}`,
        'bring it back from a backup or a snapshot, or move it away: the node then syncs anew',
      ),
    ]
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

async function copyInto(copy: string, path: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (/\.(?:ldb|sst)$/.test(file)) await symlink(join(path, file), join(copy, file))
    else if (/^(?:CURRENT|MANIFEST-\d+|\d+\.log)$/.test(file))
      await copyFile(join(path, file), join(copy, file))
  }
}
