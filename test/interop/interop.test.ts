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
import { rpc } from './rpc.ts'
import { wholeNodes } from './whole-nodes.ts'

const version = goVersion()

function build(): void {
  beforeAll(() => {
    for (const program of ['goheader', 'beta11', 'rpc'] as const) buildGoProgram(program)
  })
}

function withoutGo(): void {
  test('go is not installed: interop tests do not run here', () => {
    process.stderr.write('NOTICE: go is not on the PATH; nothing was tested against Go nodes.\n')
    expect(version).toBeUndefined()
  })
}

const suites =
  version === undefined ? [withoutGo] : [build, goServes, goFollows, large, discovery, wholeNodes, rpc]
for (const declare of suites) declare()
