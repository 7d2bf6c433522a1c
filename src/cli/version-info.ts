import { readTextFile } from '../config/atomic-file.node.ts'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

/** What runs. */
export interface VersionInfo {
  readonly name: string
  readonly version: string
  /** Version of Node. */
  readonly node: string
  /** Commit the program was checked out at; null when it was installed from the registry. */
  readonly commit: string | null
}

/** Both `src/cli` and `dist/cli` lie two below the package. */
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))

async function commitOf(folder: string): Promise<string | null> {
  const git = join(folder, '.git')
  try {
    const head = (await readTextFile(join(git, 'HEAD')))?.trim() ?? ''
    const [, reference] = /^ref: (refs\/[\w./-]+)$/.exec(head) ?? []
    if (reference === undefined) return /^[\da-f]{40}$/.test(head) ? head : null
    const loose = (await readTextFile(join(git, reference)))?.trim()
    if (loose !== undefined) return loose
    const packed = (await readTextFile(join(git, 'packed-refs'))) ?? ''
    return (
      packed
        .split('\n')
        .find((line) => line.endsWith(` ${reference}`))
        ?.slice(0, 40) ?? null
    )
  } catch {
    return null
  }
}

/** Finds out what runs. */
export async function versionInfo(): Promise<VersionInfo> {
  const text = (await readTextFile(join(PACKAGE, 'package.json'))) ?? '{}'
  const manifest: unknown = JSON.parse(text)
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : ''
  return {
    name: 'evolve',
    version: String(version),
    node: process.versions.node,
    commit: await commitOf(PACKAGE),
  }
}
