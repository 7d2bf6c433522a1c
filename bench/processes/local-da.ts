/* A local DA on disk, in a process of its own. Argument: a DaOrder as JSON. */
export * from '../../scripts/network/da.ts'
