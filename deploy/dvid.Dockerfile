# DVID v1.0.0, from the Go modules whose hashes are in go.sum: the program that the tests run on.
FROM golang:1.25-bookworm AS build
COPY include/emseg/devstack/dvid /src
WORKDIR /src
RUN go build -mod=readonly -trimpath -tags=badger -gcflags=all=-dwarf=false -ldflags="-s -w -X github.com/janelia-flyem/dvid/server.gitVersion=v1.0.0" -o /dvid .

FROM debian:bookworm-slim
COPY --from=build /dvid /usr/local/bin/dvid
RUN useradd --create-home --uid 50000 --gid 0 dvid \
 && install --directory --owner=dvid --group=root --mode=0770 /data
USER 50000
CMD ["dvid", "/etc/dvid.toml"]
