// y [batches, columns, rows] = x [batches, rows, columns] with its last two axes swapped; values of the type WORD.
//
// A block moves a tile of 32 x 32 through shared memory, so that loads and stores are both contiguous; the padding
// column keeps them free of bank conflicts. Bytes moved: 2 sizeof(WORD) batches rows columns. FLOPs: none.
#define TILE 32
#define STEP 8

extern "C" __global__ void __launch_bounds__(TILE* STEP)
    transpose_tiles(const WORD* __restrict__ x, WORD* __restrict__ y, int rows, int columns, int across, int down) {
  __shared__ WORD tile[TILE][TILE + 1];
  const unsigned batch = blockIdx.x / ((unsigned)across * (unsigned)down);
  const unsigned at = blockIdx.x - batch * ((unsigned)across * (unsigned)down);
  const int top = (int)(at / (unsigned)across) * TILE;
  const int left = (int)(at % (unsigned)across) * TILE;
  const long long base = (long long)batch * rows * columns;
  for (int i = threadIdx.y; i < TILE; i += STEP) {
    const int row = top + i;
    const int column = left + threadIdx.x;
    if (row < rows && column < columns) tile[i][threadIdx.x] = x[base + (long long)row * columns + column];
  }
  __syncthreads();
  for (int i = threadIdx.y; i < TILE; i += STEP) {
    const int row = top + threadIdx.x;
    const int column = left + i;
    if (row < rows && column < columns) y[base + (long long)column * rows + row] = tile[threadIdx.x][i];
  }
}
