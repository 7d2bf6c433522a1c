import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { type Browser, chromium } from 'playwright-core'

const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))

/** Folder of what a version of the package holds, unpacked. */
function unpacked(): string {
  const manifest = createRequire(import.meta.url).resolve('@sparticuz/chromium')
  const root = dirname(dirname(manifest))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const folder = join(cache, `chromium-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  // Made beside its place and moved there: whoever else needs it sees all of it or nothing.
  const making = mkdtempSync(join(cache, 'chromium-'))
  const read = (name: string): Uint8Array => brotliDecompressSync(readFileSync(join(root, 'bin', name)))
  writeFileSync(join(making, 'chromium'), read('chromium.br'), { mode: 0o755 })
  for (const archive of ['al2023.tar.br', 'fonts.tar.br']) {
    const { status, stderr } = spawnSync('tar', ['-x', '-C', making], { input: read(archive) })
    if (status !== 0) throw new Error(`tar could not unpack ${archive}: ${String(stderr)}`)
  }
  const fonts = `<dir>${folder}/fonts</dir><cachedir>${folder}/fonts-cache</cachedir>`
  writeFileSync(join(making, 'fonts.conf'), `<?xml version="1.0"?><fontconfig>${fonts}</fontconfig>`)
  try {
    renameSync(making, folder)
  } catch (error) {
    rmSync(making, { recursive: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

/** Whether a program finds the libraries it needs. */
function runs(executable: string): boolean {
  return spawnSync(executable, ['--version']).status === 0
}

/**
 * Starts Chromium: that of `EVOLVE_CHROMIUM`, or the one of the npm package, which runs on Linux on x64. Where libraries
 * or fonts are missing, those of the package serve.
 */
export async function launchChromium(): Promise<Browser> {
  const given = process.env['EVOLVE_CHROMIUM']
  const folder = given === undefined ? unpacked() : ''
  const executablePath = given ?? join(folder, 'chromium')
  const variables: Record<string, string> = {}
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) variables[name] = value
  if (given === undefined && !runs(executablePath)) variables['LD_LIBRARY_PATH'] = join(folder, 'lib')
  if (given === undefined && !existsSync('/usr/share/fonts'))
    variables['FONTCONFIG_FILE'] = join(folder, 'fonts.conf')
  // Containers have no user namespaces for its sandbox; it sees nothing but our own page.
  return await chromium.launch({ executablePath, env: variables, args: ['--no-sandbox'] })
}
