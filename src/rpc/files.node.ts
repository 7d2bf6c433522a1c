/*
 * The files of a page, read once at start: what is asked for is looked up among them, never on the disk.
 */
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { systemErrorCode } from '../util/files.node.ts'
import type { HttpRequest, HttpResponse } from './port.node.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
}

/** A page may load what comes from this node, and nothing else; nothing may stand in its text itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Files whose names carry a hash of their content. */
const HASHED = /-[\w-]{8,}\.\w+$/

interface File {
  readonly plain: Uint8Array
  /** Undefined where it saves nothing. */
  readonly zipped: Uint8Array | undefined
  readonly type: string
  readonly hashed: boolean
}

/** Answers requests for a page's files. */
export interface PageFiles {
  /** Whether there is a page. */
  readonly found: boolean
  /** Answers; false when the path is neither a file nor one of the page's own. */
  answer(request: HttpRequest, response: HttpResponse): boolean
}

/** Reads the files of a page from a folder; of a folder that is not there, none. */
export async function readPageFiles(folder: URL): Promise<PageFiles> {
  const files = await readAll(fileURLToPath(folder))
  const index = files.get('/index.html')

  function fileOf(path: string, accept: string): File | undefined {
    // The page has paths of its own, which it makes out of its first file.
    return files.get(path) ?? (accept.includes('text/html') && extname(path) === '' ? index : undefined)
  }

  return {
    found: index !== undefined,
    answer(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return false
      const path = URL.parse(request.url ?? '/', 'http://localhost')?.pathname
      const file = path === undefined ? undefined : fileOf(path, request.headers.accept ?? '')
      if (file === undefined) return false
      const zipped = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')
        ? file.zipped
        : undefined
      const body = zipped ?? file.plain
      const headers = {
        'content-type': file.type,
        'content-length': String(body.length),
        ...(zipped === undefined ? {} : { 'content-encoding': 'gzip' }),
        vary: 'Accept-Encoding',
        'cache-control': file.hashed ? 'public, max-age=31536000, immutable' : 'no-cache',
        'content-security-policy': POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      }
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
      response.statusCode = 200
      if (request.method === 'HEAD') response.end()
      else response.end(body)
      return true
    },
  }
}

async function readAll(folder: string): Promise<Map<string, File>> {
  const files = new Map<string, File>()
  for (const path of await pathsBelow(folder)) {
    const plain = await readFile(path)
    const zipped = await promisify(gzip)(plain, { level: 9 })
    const type = TYPES[extname(path)] ?? 'application/octet-stream'
    const name = `/${relative(folder, path).split(sep).join('/')}`
    files.set(name, {
      plain,
      zipped: zipped.length < plain.length * 0.9 ? zipped : undefined,
      type,
      hashed: HASHED.test(name),
    })
    if (name === '/index.html') files.set('/', { plain, zipped, type, hashed: false })
  }
  return files
}

async function pathsBelow(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  }
}
