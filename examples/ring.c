/* A token of 100,000 bytes travels around all ranks, in C.
 *
 * mpicc -o ring examples/ring.c
 * gradwire run --topology ring --workers 4 --bandwidth 100mbit --latency 20ms -- ./ring
 */
#include <mpi.h>
#include <stdio.h>
#include <time.h>

#define TOKEN_BYTES 100000
#define ROUNDS 5

static char token[TOKEN_BYTES];

/* MPI_Wtime may read the processor's own counter, which is real time in either lab. */
static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int next = (rank + 1) % size, before = (rank + size - 1) % size;
    MPI_Barrier(MPI_COMM_WORLD);
    double begun_s = now_s();
    for (int round = 0; round < ROUNDS; round++) {
        if (rank == 0) MPI_Send(token, TOKEN_BYTES, MPI_BYTE, next, 0, MPI_COMM_WORLD);
        MPI_Recv(token, TOKEN_BYTES, MPI_BYTE, before, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank != 0) MPI_Send(token, TOKEN_BYTES, MPI_BYTE, next, 0, MPI_COMM_WORLD);
    }
    if (rank == 0) printf("%d ranks: %.1f ms around the ring\n", size, (now_s() - begun_s) / ROUNDS * 1e3);
    MPI_Finalize();
    return 0;
}
