import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeDirectory, readPrivateFile, readTextFile, writeFileAtomic } from './atomic-file.node.ts'

describe('files', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'evolve-files-'))
  })
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

  test('are their owner’s alone, and nothing else is left beside them', async () => {
    const path = join(directory, 'a', 'b')
    await makeDirectory(path)
    await makeDirectory(path)
    await writeFileAtomic(join(path, 'x'), 'one')
    await writeFileAtomic(join(path, 'x'), 'two')
    expect(await readTextFile(join(path, 'x'))).toBe('two')
    expect(await readdir(path)).toEqual(['x'])
    expect([await modeOf(join(path, 'x')), await modeOf(path), await modeOf(join(directory, 'a'))]).toEqual([
      0o600, 0o700, 0o700,
    ])
  })

  test('a wider file becomes private when it is written again', async () => {
    const path = join(directory, 'x')
    await writeFile(path, 'old', { mode: 0o644 })
    await writeFileAtomic(path, 'new')
    expect(await modeOf(path)).toBe(0o600)
  })

  test('an existing file stays when the new one must be the first', async () => {
    const path = join(directory, 'x')
    await writeFileAtomic(path, 'one', { exclusive: true })
    await expect(writeFileAtomic(path, 'two', { exclusive: true })).rejects.toMatchObject({
      code: 'FILE_EXISTS',
    })
    expect(await readFile(path, 'utf8')).toBe('one')
    expect(await readdir(directory)).toEqual(['x'])
    expect((await stat(path)).nlink).toBe(1)
  })

  test('what cannot be written leaves the old file and no other', async () => {
    const path = join(directory, 'x')
    await mkdir(join(path, 'y'), { recursive: true })
    await expect(writeFileAtomic(path, 'text')).rejects.toMatchObject({ code: 'FILE_FAILED' })
    await expect(writeFileAtomic(join(directory, 'none', 'x'), 'text')).rejects.toMatchObject({
      code: 'FILE_FAILED',
    })
    expect(await readdir(directory)).toEqual(['x'])
  })

  test('a missing file is undefined; one that is no text is refused', async () => {
    expect(await readTextFile(join(directory, 'none'))).toBeUndefined()
    expect(await readPrivateFile(join(directory, 'none'))).toBeUndefined()
    await writeFile(join(directory, 'x'), new Uint8Array([0xff]))
    await expect(readTextFile(join(directory, 'x'))).rejects.toMatchObject({ code: 'FILE_FAILED' })
    await expect(readTextFile(directory)).rejects.toMatchObject({ code: 'FILE_FAILED' })
  })

  test.each([0o640, 0o604, 0o620, 0o644])('a key that others may use (%o) is refused', async (mode) => {
    const path = join(directory, 'key')
    await writeFile(path, 'secret')
    await chmod(path, mode)
    await expect(readPrivateFile(path)).rejects.toMatchObject({
      code: 'FILE_NOT_PRIVATE',
      message: expect.stringContaining(`chmod 600 ${path}`),
    })
    await chmod(path, 0o600)
    expect(await readPrivateFile(path)).toBe('secret')
  })
})
