import { kvSuite } from '../../test/suites/kv-suite.ts'
import { createMemoryKv } from './kv-memory.ts'

kvSuite('memory', createMemoryKv)
