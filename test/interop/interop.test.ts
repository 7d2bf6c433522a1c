/*
 * We and Go nodes on the released modules, over real sockets on loopback. The Go programs are under go/; they are
 * built on first use, for which the Go module proxy must be reachable once.
 */
import { beforeAll, expect, test } from 'vitest'
import { discovery } from './discovery.ts'
import { goFollows } from './go-follows.ts'
import { buildGoProgram, goVersion } from './go-peer.ts'
import { goServes } from './go-serves.ts'
import { large } from './large.ts'

if (goVersion() === undefined) {
  test('go is not installed: interop tests do not run here', () => {
    process.stderr.write('NOTICE: go is not on the PATH; nothing was tested against Go nodes.\n')
    expect(goVersion()).toBeUndefined()
  })
} else {
  beforeAll(() => {
    for (const program of ['goheader', 'beta11'] as const) buildGoProgram(program)
  })
  goServes()
  goFollows()
  large()
  discovery()
}
