import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** When anything below a folder changed last. */
function changed(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  )
}

/** Builds the page where there is none, or only an older one. */
export async function setup(): Promise<void> {
  const built = join(root, 'dist/explorer/index.html')
  const sources = ['apps/explorer', 'src/rpc/client', 'src/rpc/gen'].map((folder) => join(root, folder))
  if (existsSync(built) && statSync(built).mtimeMs > Math.max(...sources.map(changed))) return
  await build({ configFile: join(root, 'apps/explorer/vite.config.ts'), logLevel: 'warn' })
}
