import { open } from 'node:fs/promises'

/** The code of an error of the operating system or a native library, such as `ENOENT`; undefined when it has none. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Resolves when the names in a directory are durable. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; there the rename itself is all there is.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
